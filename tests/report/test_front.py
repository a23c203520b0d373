"""The front chart as data, its picture, and where its labels go."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import optuna
import pandas as pd
import pytest
from PIL import Image

from archlab.analysis.hypervolume import covered_after_each
from archlab.report.front import Point, endings, front_info, non_dominated, view
from archlab.report.front_chart import front_figure, sentence
from archlab.report.front_table import front_table
from archlab.report.history import history_card, history_info, summary
from archlab.report.pareto import pareto_figure, write_pareto
from archlab.report.placement import Box, place_labels

COLUMNS = ("trial", "status", "latency_ms", "quality", "params_m", "on_front")
NAN = float("nan")


@pytest.fixture
def small() -> pd.DataFrame:
    """Worked by hand: 0 and 1 are the front, 2 is dominated by 1, 3 is over the limit of 15 ms."""
    rows = [
        (0, "complete", 5.0, 0.30, 1.0, True),
        (1, "complete", 10.0, 0.20, 2.0, True),
        (2, "complete", 12.0, 0.25, 2.0, False),
        (3, "complete", 18.0, 0.10, 2.0, False),
        (4, "gated", 30.0, NAN, 3.0, False),
        (5, "gated", NAN, NAN, 9.0, False),
        (6, "failed", 9.0, NAN, 2.0, False),
        (7, "repeat", 10.0, 0.20, 2.0, False),
    ]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    reasons: Any = [None] * 4
    reasons += ["latency_ms 30.0 is over the limit of 15.0", "params_m 9.0 is over the limit of 6.0"]
    reasons += ["loss became NaN at step 120", "same architecture as trial 1"]
    gates: Any = [None] * 4 + ["latency_ms", "params_m", None, None]
    return frame.assign(gate=gates, reason=reasons, architecture=[f"{n:012x}" for n in range(8)])


def test_every_trial_has_its_place(make_study: Any, small: pd.DataFrame) -> None:
    info = front_info(make_study(trials=small, knobs=[]), {"knee": 1, "best": 1, "fastest": 0})
    assert info.front == [Point(0, 5.0, 0.30), Point(1, 10.0, 0.20)]
    assert info.dominated == [Point(2, 12.0, 0.25)]
    assert info.infeasible == [Point(3, 18.0, 0.10)]
    assert [(trial.trial, trial.cost, trial.status) for trial in info.unscored] == [
        (4, 30.0, "gated"), (6, 9.0, "failed"),
    ]  # fmt: skip
    assert (info.unmeasured, info.incomparable) == (1, 0)
    assert (info.limit, info.baseline_cost, info.baseline_quality) == (15.0, 26.4, None)
    assert info.picks == {1: "knee, best", 0: "fastest"}
    assert "tflite, 2 threads, fp32" in info.cost_title
    assert info.cost_title.endswith("lower is better")


def test_staircase_agrees_with_optuna() -> None:
    draw = np.random.default_rng(1)
    points = [Point(n, *map(float, draw.integers(0, 12, 2))) for n in range(60)]
    study = optuna.create_study(directions=["minimize", "minimize"])
    space: Any = {name: optuna.distributions.FloatDistribution(0, 12) for name in "xy"}
    for point in points:
        values = [point.cost, point.quality]
        study.add_trial(
            optuna.create_trial(params=dict(zip("xy", values, strict=True)), distributions=space, values=values)
        )
    expected = {tuple(trial.values) for trial in study.best_trials}
    assert {(point.cost, point.quality) for point in non_dominated(points)} == expected


def test_scores_with_another_label_are_never_on_one_chart(make_study: Any, small: pd.DataFrame) -> None:
    labels: Any = ["fid@256 (digits-cnn)"] * 2 + ["fid@512 (digits-cnn)"] + ["fid@256 (digits-cnn)"] + [None] * 4
    study = make_study(trials=small.assign(fid_label=labels), knobs=[], quality_label="fid@256 (digits-cnn)")
    info = front_info(study)
    assert info.dominated == []
    assert info.incomparable == 1
    assert info.quality_title.startswith("fid@256 (digits-cnn)")


def test_cost_without_a_device_is_counted(make_study: Any) -> None:
    study = make_study(samples=False, objectives=["quality", "macs_g"], limits={}, measure=())
    info = front_info(study)
    assert info.cost == "macs_g"
    assert "counted by formula" in info.cost_title
    assert {point.trial for point in info.front} == set(study.front["trial"])


def test_baseline_takes_quality_from_the_trial_that_is_it(make_study: Any) -> None:
    study = make_study(samples=False)
    trial = study.trials[study.trials["status"] == "complete"].iloc[0]
    same = {"architecture": trial["architecture"], "latency_ms": 26.4}
    assert front_info(make_study(samples=False, baseline=same)).baseline_quality == trial["quality"]


def test_estimated_latency_never_looks_measured(make_study: Any) -> None:
    trials = make_study(samples=False).trials.assign(latency_kind="estimated")
    title = front_info(make_study(samples=False, trials=trials)).cost_title
    assert "estimated" in title
    assert "measured" not in title


def test_every_device_has_its_chart_with_its_limit_and_baseline(two_devices: Any) -> None:
    info = front_info(two_devices, cost="latency_ms_pixel8")
    phone = two_devices.trials.set_index("trial")["latency_ms_pixel8"]
    assert info.front
    assert all(point.cost == phone[point.trial] for point in info.front + info.dominated + info.infeasible)
    assert (info.limit, info.baseline_cost) == (75.0, 140.0)
    assert info.cost_title == (
        "Latency on pixel8 in ms · measured or estimated: android:R5, 4 threads, int8 · lower is better"
    )
    assert front_info(two_devices).cost_title.startswith("Latency on tflite in ms · measured: tflite, 2 threads")


def test_estimated_points_are_hollow_in_chart_and_picture(two_devices: Any) -> None:
    info = front_info(two_devices, cost="latency_ms_pixel8")
    assert {trial % 2 for trial in info.estimated} == {1}
    traces = [trace for trace in front_figure(info).data if trace.customdata is not None and trace.yaxis is None]
    shown = {
        trial: symbol for trace in traces for trial, symbol in zip(trace.customdata, trace.marker.symbol, strict=True)
    }
    assert {trial for trial, symbol in shown.items() if symbol.endswith("-open")} == info.estimated & shown.keys()
    axes = pareto_figure(info).axes[0]
    hollow = {
        tuple(place)
        for marks in axes.collections
        if len(marks.get_facecolors()) and (marks.get_facecolors()[0] == 1).all()
        for place in marks.get_offsets().tolist()
    }
    points = info.front + info.dominated + info.infeasible
    assert hollow == {(point.cost, point.quality) for point in points if point.trial in info.estimated}
    assert "estimated (hollow)" in axes.get_legend_handles_labels()[1]
    assert "baseline 140 ms (estimated)" in axes.get_legend_handles_labels()[1]
    measured = front_info(two_devices)
    assert measured.estimated == set()
    assert "estimated (hollow)" not in pareto_figure(measured).axes[0].get_legend_handles_labels()[1]


def test_view_is_not_squashed_by_one_slow_candidate(make_study: Any, small: pd.DataFrame) -> None:
    small.loc[4, "latency_ms"] = 900.0
    ranges = view(front_info(make_study(trials=small, knobs=[])))
    assert ranges is not None
    assert ranges[0][1] < 30


def test_history_is_the_hypervolume_of_the_trained_trials(make_study: Any) -> None:
    study = make_study(samples=False)
    rows = study.trials[study.trials["status"] == "complete"]
    shares = covered_after_each(rows[["quality", "latency_ms"]])  # against Optuna: tests/study/test_hypervolume.py
    assert history_info(study) == ("hypervolume", list(rows["trial"]), shares)


def test_history_is_over_every_objective(two_devices: Any) -> None:
    info, objectives = history_info(two_devices), two_devices.objectives
    assert info is not None
    rows = two_devices.trials[two_devices.trials["trial"].isin(info.trials)]
    assert info.values == covered_after_each(rows[objectives])
    assert info.values != covered_after_each(rows[objectives[:2]])


def test_single_objective_shows_the_best_so_far(make_study: Any, small: pd.DataFrame) -> None:
    info = history_info(make_study(trials=small, knobs=[], objectives=["quality"], limits={}))
    assert info == ("best", [0, 1, 2, 3], [0.30, 0.20, 0.20, 0.10])


def test_history_says_how_every_trial_ended(make_study: Any, small: pd.DataFrame) -> None:
    rows = pd.concat([small, small[-1:].assign(trial=8, status="stopped", stopped_at=200.0, quality=NAN)])
    study = make_study(trials=rows, knobs=[])
    data = history_card(study, {}).data
    assert data is not None
    assert data.to_numpy().tolist() == [
        ["trained", "", 4],
        ["stopped", "at 200 steps", 1],
        ["gated", "latency (ms) over the limit", 1],
        ["gated", "parameters (M) over the limit", 1],
        ["failed", "loss became NaN at step …", 1],
        ["repeat", "answered by an earlier trial of the same architecture", 1],
    ]
    assert summary(study).endswith(", 1 answered by an earlier trial. The budget is 40 distinct architectures.")
    info = front_info(study)
    assert [trial.status for trial in info.unscored] == ["gated", "failed", "stopped"]
    assert list(endings(info).values()) == ["failed", "stopped at a rung", "over a limit"]


def test_labels_cover_nothing() -> None:
    anchors = [(40.0 + 9 * n, 200.0 - 12 * n) for n in range(14)]
    points = [Box(x - 4, y - 4, x + 4, y + 4) for x, y in anchors]
    bounds = Box(0, 0, 320, 240)
    labels = place_labels(anchors, [(34.0, 11.0)] * 14, points, bounds)
    boxes = [label.box for label in labels if label]
    assert len(boxes) >= 10
    assert all(box.within(bounds) for box in boxes)
    assert not any(box.overlaps(point) for box in boxes for point in points)
    assert not any(a.overlaps(b) for n, a in enumerate(boxes) for b in boxes[n + 1 :])


def test_label_without_room_is_left_out() -> None:
    assert place_labels([(5.0, 5.0)], [(50.0, 10.0)], [], Box(0, 0, 20, 20)) == [None]


def test_picture_labels_the_front_and_says_which_way_is_better(make_study: Any, tmp_path: Path) -> None:
    study = make_study()
    info = front_info(study, {"knee": int(study.front["trial"].iloc[2])})
    axes = pareto_figure(info).axes[0]
    labels = {text.get_text() for text in axes.texts}
    assert labels >= {str(point.trial) for point in info.front if point.trial not in info.picks}
    assert f"{study.front['trial'].iloc[2]} knee" in labels
    assert axes.get_ylabel().endswith("lower is better")
    write_pareto(info, tmp_path)
    with Image.open(tmp_path / "pareto.png") as image:
        assert image.size == (1680, 1080)
    assert ElementTree.parse(tmp_path / "pareto.svg").getroot().tag.endswith("svg")
    first = (tmp_path / "pareto.svg").read_bytes(), (tmp_path / "pareto.png").read_bytes()
    write_pareto(info, tmp_path)
    assert first == ((tmp_path / "pareto.svg").read_bytes(), (tmp_path / "pareto.png").read_bytes())


def test_picture_of_nothing_says_so(make_study: Any, small: pd.DataFrame) -> None:
    info = front_info(make_study(trials=small[small["status"] != "complete"], knobs=[]))
    assert any("no trial has been trained" in text.get_text() for text in pareto_figure(info).axes[0].texts)
    empty = front_info(make_study(trials=small[:0], knobs=[]))
    assert pareto_figure(empty).axes


def test_intervals_and_noise_are_on_chart_picture_and_table(make_study: Any, small: pd.DataFrame) -> None:
    trials = small.assign(
        latency_low_ms=small["latency_ms"] - [6, 1, 0.5, 0.5, 0, 0, 0, 0],
        latency_high_ms=small["latency_ms"] + [6, 1, 0.5, 0.5, 0, 0, 0, 0],
        latency_noisy=[True, False, True, False, None, None, None, None],
        latency_rounds=[12.0, 3.0, *[NAN] * 6],
    )
    baseline = {"latency_ms": 26.4, "latency_noisy": True}
    study = make_study(trials=trials, knobs=[], baseline=baseline, samples=False)
    info = front_info(study)
    assert info.noisy == {0, 2}
    assert info.intervals == {0: (-1.0, 11.0), 1: (9.0, 11.0), 2: (11.5, 12.5)}
    assert info.equals == [(0, 1)]
    figure = front_figure(info)
    (front,) = [trace for trace in figure.data if trace.meta == "front"]
    places = list(front.customdata)
    assert [front.marker.symbol[places.index(number)] for number in (0, 1)] == ["circle-open-dot", "circle"]
    assert [front.error_x.array[places.index(number)] for number in (0, 1)] == [6.0, 1.0]
    assert [front.error_x.arrayminus[places.index(number)] for number in (0, 1)] == [6.0, 1.0]
    assert front.hovertext[places.index(0)] == " (-1 to 11, noisy)"
    assert any(trace.name == "noisy (hollow, a dot)" for trace in figure.data)
    assert any(note.text == "baseline 26.4 ms (noisy)" for note in figure.layout.annotations)
    assert "Within the noise of measuring these trials of the front cost the same: 0 and 1." in sentence(info)
    axes = pareto_figure(info).axes[0]
    assert {line.get_label() for line in axes.collections} >= {"noisy (dotted)"}
    table = front_table(study)
    assert list(table["not told apart from"]) == ["1", "0"]
    assert list(table["latency is noisy"]) == [True, False]
    assert list(table["rounds side by side"]) == [12, 3]


def test_labels_of_a_limit_that_is_the_baseline_are_apart(make_study: Any) -> None:
    def notes(limit: float) -> dict[str, Any]:
        study = make_study(samples=False, limits={"latency_ms": limit})
        return {note.text: (note.y, note.yanchor) for note in front_figure(front_info(study)).layout.annotations}

    assert notes(26.4) == {"baseline 26.4 ms": (1, "top"), "limit 26.4 ms": (0, "bottom")}
    assert notes(15.0)["limit 15 ms"] == (1, "top")


def test_a_quiet_study_shows_no_noise(make_study: Any) -> None:
    info = front_info(make_study(samples=False))
    assert (info.noisy, info.equals, info.baseline_noisy) == (set(), [], False)
    assert not [trace.name for trace in front_figure(info).data if "noisy" in str(trace.name)]
    assert "not told apart from" not in front_table(make_study(samples=False))
