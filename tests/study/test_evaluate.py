"""One architecture through cost, latency and training: cheap before expensive, every end with its reason."""

import errno
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archlab.architecture import UNetSpec
from archlab.cost import count
from archlab.errors import OutOfMemory, RunFailed
from archlab.evaluation import Evaluation, Latency, ProxyResult
from archlab.latency.measurement import Measurement
from archlab.study.callbacks import Callbacks
from archlab.study.definition import StudyDefinition, load_definition
from archlab.study.disk import Disk
from archlab.study.evaluate import Job, Stages, evaluate
from archlab.study.finished import FinishedTrials
from tests.made_up_facts import estimated, proxy_result, record
from tests.made_up_facts import measured as timed
from tests.study.spaces import MINI, write_space

MEASURED = timed(20.0)


def job(definition: StudyDefinition, folder: Path, **limits: float) -> Job:
    return Job(spec=definition.space.baseline, settings=definition.settings, limits=limits, folder=folder)


@pytest.fixture
def measured(tmp_path: Path) -> StudyDefinition:
    return load_definition(write_space(tmp_path, MINI.replace("measure: []", "measure: [{device: tflite}]")))


def refuse(*_: Any) -> Any:
    raise AssertionError("this stage must not be reached")


def stages(measure: Any = lambda *_: MEASURED, train: Any = lambda *_: proxy_result(1.0)) -> Stages:
    return Stages(measure=measure, train=train)


def test_over_a_cost_limit_nothing_is_measured_or_trained(measured: StudyDefinition, tmp_path: Path) -> None:
    found = evaluate(job(measured, tmp_path / "0", params_m=1.5), Callbacks(), stages=stages(refuse, refuse))
    params_m = count(measured.space.baseline).params_m
    assert (found.status, found.gate) == ("gated", "params_m")
    assert found.reason == f"params_m {params_m:.4g} is over the limit of 1.5"
    assert found.params_m == params_m
    assert found.latency == {}
    assert found.proxy is None


def test_over_the_latency_limit_nothing_is_trained(measured: StudyDefinition, tmp_path: Path) -> None:
    found = evaluate(job(measured, tmp_path / "0", latency_ms=12.5), Callbacks(), stages=stages(train=refuse))
    assert (found.status, found.gate) == ("gated", "latency_ms")
    assert found.reason == "latency_ms 20 on tflite is over the limit of 12.5"
    assert found.latency == {"tflite": MEASURED}


def test_a_limit_that_is_just_met_is_met(measured: StudyDefinition, tmp_path: Path) -> None:
    limit = count(measured.space.baseline).macs_g
    found = evaluate(job(measured, tmp_path / "0", latency_ms=20.0, macs_g=limit), Callbacks(), stages=stages())
    assert found.status == "complete"


def test_a_latency_far_off_the_other_trials_is_doubted(measured: StudyDefinition, tmp_path: Path) -> None:
    macs_g = count(measured.space.baseline).macs_g
    trials = FinishedTrials(measured.settings, [])
    for number in range(8):
        factor = 1 + number / 10
        known = Evaluation(status="gated", macs_g=factor * macs_g, latency={"tflite": timed(20 * factor)})
        trials.add(record(known, number))
    trials.add(record(Evaluation(status="gated", macs_g=macs_g, latency={"tflite": timed(99.0, noise="a fan")}), 8))
    trials.add(record(Evaluation(status="gated", macs_g=macs_g, latency={"tflite": estimated(99.0)}), 9))
    assert len(trials.measured["tflite"]) == 8
    doubts: list[str | None] = []

    def measure(spec: UNetSpec, where: Measurement, callbacks: Callbacks) -> Latency:
        doubts.extend(callbacks.doubt(timed(ms)) for ms in (20.0, 40.0))
        return MEASURED

    asked = replace(
        job(measured, tmp_path / "0"), others={name: tuple(latest) for name, latest in trials.measured.items()}
    )
    evaluate(asked, Callbacks(), stages=stages(measure))
    assert doubts == [None, "40 ms where MACs and 8 others lead to 20 ms"]


def test_with_a_table_a_latency_far_off_its_estimate_is_doubted(tmp_path: Path) -> None:
    (tmp_path / "table.json").write_text("{}")
    space = MINI.replace("measure: []", "measure: [{device: tflite, table: table.json}]")
    definition = load_definition(write_space(tmp_path, space))
    doubts: list[str | None] = []

    def measure(spec: UNetSpec, where: Measurement, callbacks: Callbacks) -> Latency:
        doubts.extend(callbacks.doubt(timed(ms)) for ms in (20.0, 40.0))
        return MEASURED

    decides = job(definition, tmp_path / "0", latency_ms=20.0)  # within the band
    evaluate(decides, Callbacks(), stages=replace(stages(measure), estimate=lambda *_: estimated(20.0)))
    assert doubts == [None, "40 ms where the table leads to 19 to 21 ms"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RunFailed("it differs from torch by 3"), "it differs from torch by 3"),
        (MemoryError("no more"), "MemoryError: no more"),
        (ValueError("first line\nsecond"), "ValueError: first line"),
    ],
)
def test_a_failing_stage_ends_the_trial_with_its_reason_and_keeps_what_is_known(
    error: Exception, reason: str, measured: StudyDefinition, tmp_path: Path
) -> None:
    def fail(*_: Any) -> None:
        raise error

    found = evaluate(job(measured, tmp_path / "0"), Callbacks(), stages=stages(fail, refuse))
    assert (found.status, found.reason) == ("failed", reason)
    assert found.macs_g == count(measured.space.baseline).macs_g


def test_a_loss_that_turns_nan_ends_the_trial_with_that_reason(tmp_path: Path) -> None:
    definition = load_definition(
        write_space(tmp_path, MINI.replace("rungs: [3]", "rungs: [20]\n  learning_rate: 1.0e+30"))
    )
    found = evaluate(job(definition, tmp_path / "0"), Callbacks())
    assert found.status == "failed"
    assert found.reason is not None
    assert "diverged at step" in found.reason
    assert "learning_rate" in found.reason


def test_a_trial_that_goes_well_leaves_its_files_and_hears_every_stage(tmp_path: Path) -> None:
    definition = load_definition(
        write_space(tmp_path, MINI.replace("seed: 3", "seed: 4"))
    )  # no other test has trained it
    heard: list[tuple[str, float]] = []
    found = evaluate(
        job(definition, tmp_path / "0"), Callbacks(progress=lambda stage, done: heard.append((stage, done)))
    )
    assert found.status == "complete"
    assert found.reason is None
    assert found.proxy is not None
    assert found.proxy.quality == found.proxy.val_loss > 0
    assert {path.name for path in (tmp_path / "0").iterdir()} == {"curve.csv", "samples.png", "checkpoint.safetensors"}
    assert [stage for stage, done in heard if done == 1.0] == ["train", "sample", "score"]


def test_out_of_memory_it_trains_once_more_with_half_the_micro_batch(measured: StudyDefinition, tmp_path: Path) -> None:
    tried: list[int | None] = []

    def train(job: Job, *_: Any) -> ProxyResult:
        tried.append(job.micro_batch)
        if len(tried) < enough:
            raise OutOfMemory(f"attempt {len(tried)}")
        return proxy_result(1.0)

    enough = 2
    assert evaluate(job(measured, tmp_path / "0"), Callbacks(), stages=stages(train=train)).status == "complete"
    assert tried == [None, 8]
    tried.clear()
    enough = 9
    found = evaluate(job(measured, tmp_path / "0"), Callbacks(), stages=stages(train=train))
    assert (found.status, found.reason, len(tried)) == ("failed", "attempt 2", 2)


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left"), RuntimeError("I/O error: No space left on device (os error 28)")]
)
def test_on_a_full_disk_it_waits_and_goes_on(error: Exception, measured: StudyDefinition, tmp_path: Path) -> None:
    heard: list[str] = []

    def train(*_: Any) -> ProxyResult:
        if not heard:
            raise error
        return proxy_result(1.0)

    found = evaluate(
        job(measured, tmp_path),
        Callbacks(progress=lambda stage, done: heard.append(stage)),
        stages=stages(train=train),
        disk=Disk(poll_seconds=0.01),
    )
    assert (found.status, heard) == ("complete", ["wait for room"])


def test_the_judge_hears_of_latency_and_can_stop_it(tmp_path: Path) -> None:
    """The real training."""
    text = MINI.replace("measure: []", "measure: [{device: tflite}]").replace("rungs: [3]", "rungs: [2, 3]")
    heard: list[Any] = []

    def judge(rung: int, qualities: Sequence[float], known: Evaluation | None = None, /) -> bool:
        heard.append((rung, len(qualities), known and known.latency))
        return False

    definition = load_definition(write_space(tmp_path, text))
    measuring = Stages(measure=lambda *_: MEASURED)
    found = evaluate(job(definition, tmp_path / "0"), Callbacks(goes_on=judge), stages=measuring)
    assert heard == [(2, 1, {"tflite": MEASURED})]
    assert (found.status, found.reason) == ("stopped", "stopped at 2 steps")
    assert found.cells()["stopped_at"] == 2
    assert found.cells()["quality"] is None
