"""What a running study prints where there is no terminal."""

import io
from pathlib import Path

from rich.console import Console

from archlab.evaluation import AnyLatency, Evaluation, Record
from archlab.study import Study
from archlab.study.compatibility import open_folder
from archlab.study.definition import load_definition
from archlab.study.folder import StudyFolder
from archlab.study.surrogate import Gain
from archlab.terminal.live import LiveDisplay
from tests.made_up_facts import estimated, measured, proxy_result
from tests.study.spaces import write_space


def record(trial: int, seconds: float, evaluation: Evaluation) -> Record:
    return Record(
        trial=trial, architecture="a", knobs={}, evaluation=evaluation, seconds=seconds, finished="2026-01-01T00:00:00"
    )


def test_plain_lines_have_trial_stage_best_so_far_and_time_left(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "mini")
    open_folder(folder, load_definition(write_space(tmp_path)))
    output = io.StringIO()
    with LiveDisplay(Console(file=output)) as display:
        with display.making_ready() as progress:
            progress("images", 0.5)
            progress("encode", 0.5)
        display.study_started(Study(folder))
        display.trial_started(None, {"conv": "standard"})
        display.trial_started(0, {"transformers": "0 1 1 [2]"})
        for done in (0.0, 0.5, 1.0):
            display.progress(0, "train", done)
        display.trial_paused(0, 30, 0.25)
        display.trial_resumed(0, 90)
        trained = Evaluation(status="complete", latency={"tflite": measured(7.5)}, proxy=proxy_result(0.125))
        display.trial_finished(record(0, 30.0, trained))
        display.trial_finished(
            record(1, 10.0, Evaluation(status="gated", gate="macs_g", reason="macs_g 5 is over [4]"))
        )
        display.gain_expected(Gain(0.0234, 0.004, 0.051))
        display.trial_finished(record(2, 0.0, Evaluation(status="repeat", reason="same architecture as trial 0")))
        display.gain_expected(None)
        display.trial_finished(record(3, 0.0, Evaluation(status="repeat", reason="same architecture as trial 0")))
    hour = "a further hour: +2.3% of hypervolume expected"
    lines = [line.split(" ", 1)[1] for line in output.getvalue().splitlines()]
    best = "best quality 0.125 at 7.5 ms in trial 0"
    assert lines == [
        "data: reading images",
        "data: encoding images and captions",
        "baseline: conv=standard",
        "trial 0: transformers=0 1 1 [2]",
        "trial 0: training the proxy",
        "trial 0: paused at 30 steps, quality 0.25",
        "trial 0: resumed, up to 90 steps",
        f"trial 0: quality 0.125, 7.5 ms in 30 s (1 of 6 trials, {best}, about 2 min left)",
        f"trial 1: gated: macs_g 5 is over [4] in 10 s (2 of 6 trials, {best}, about 80 s left)",
        f"trial 2: repeat: same architecture as trial 0 in 0 s (2 of 6 trials, {best}, about 80 s left, {hour})",
        f"trial 3: repeat: same architecture as trial 0 in 0 s (2 of 6 trials, {best}, about 80 s left)",
    ]


def test_several_devices_are_named_and_no_estimate_looks_measured(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "mini")
    open_folder(folder, load_definition(write_space(tmp_path)))
    output = io.StringIO()
    with LiveDisplay(Console(file=output)) as display:
        display.study_started(Study(folder))
        display.trial_started(0, {})
        display.progress(0, "measure on pixel8", 0.0)
        display.progress(0, "wait on pixel8", 0.0)
        loud = measured(7.5, noise="other programs kept 1.9 of 2 cores busy")
        latency: dict[str, AnyLatency] = {"here": loud, "pixel8": estimated(31.0)}
        trained = Evaluation(status="complete", latency=latency, proxy=proxy_result(0.125))
        display.trial_finished(record(0, 30.0, trained))
        display.confirming("here", 0.0)
        display.confirming("here", 0.5)
    shown = output.getvalue()
    assert "trial 0: measuring latency (pixel8)" in shown
    assert "trial 0: waiting for the device (pixel8)" in shown
    assert shown.count("the front: measuring it side by side with the baseline (here)") == 1
    assert "quality 0.125, 7.5 ms on here (noisy), 31 ms on pixel8 (estimated) in 30 s" in shown


def test_several_trials_at_once_share_the_time_that_is_left(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "mini")
    open_folder(folder, load_definition(write_space(tmp_path)))
    output = io.StringIO()
    complete = Evaluation(status="complete", proxy=proxy_result(0.5))
    with LiveDisplay(Console(file=output)) as display:
        display.study_started(Study(folder))
        for number in range(2):
            display.trial_started(number, {"conv": "standard"})
        display.progress(1, "train", 0.0)
        display.progress(0, "wait for room", 0.0)
        display.progress(1, "train", 0.5)
        display.notice("the disk is [full]")
        display.trial_learned(record(7, 30.0, complete))
        display.trial_finished(record(1, 30.0, complete))
    lines = [line.split(" ", 1)[1] for line in output.getvalue().splitlines()]
    assert lines[2:] == [
        "trial 1: training the proxy",
        "trial 0: waiting for room on the disk",
        "the disk is [full]",
        "trial 1: quality 0.5 in 30 s (2 of 6 trials, best quality 0.5 in trial 7, about 60 s left)",
    ]
