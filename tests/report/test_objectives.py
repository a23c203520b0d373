"""Whatever is in the registry of measures can be an objective or a limit: tables, charts, picks and mirrors know it."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest

from archlab.analysis.compare import compare
from archlab.analysis.front import mark_front
from archlab.analysis.hypervolume import covered_after_each
from archlab.analysis.picks import picks
from archlab.evaluation import MEASURES, Measure
from archlab.evaluation.measures import better
from archlab.latency.measurement import Measurement
from archlab.report import front_info, write_report
from archlab.report.compare import compare_info
from archlab.report.dashboard.storage import RecordsStorage
from archlab.report.front import further_charts
from archlab.report.front_chart import front_card
from archlab.report.front_table import front_table
from archlab.report.history import history_info
from archlab.report.labels import axis, heading
from archlab.report.pareto import pareto_figure
from archlab.report.table import measurements
from archlab.study import Study, load_study
from archlab.tracking.of_study import study_rows, trial_rows
from archlab.tracking.workspace import chart_titles
from tests.made_up_facts import mean_score
from tests.study.made_up import write_study
from tests.study.spaces import MINI

OBJECTIVES = ["quality", "sharpness"]


@pytest.fixture(autouse=True)
def sharpness(monkeypatch: pytest.MonkeyPatch) -> Measure:
    """A score that the code does not know of, better when it is higher."""
    measure = Measure(name="sharpness", heading="sharpness", unit="dB", direction="maximize", needs="training")
    monkeypatch.setitem(MEASURES, "sharpness", measure)
    return measure


@pytest.fixture
def sharp(make_study: Callable[..., Any]) -> Any:
    """A study that trades quality off against that score, of which at least 20 dB are wanted."""
    trials = make_study(samples=False).trials
    found = pd.Series(np.random.default_rng(5).uniform(15, 40, len(trials)), trials.index)
    trials["sharpness"] = found.where(trials["status"] == "complete")
    low = trials["sharpness"] < 20
    trials.loc[low, ["status", "gate", "reason"]] = "gated", "sharpness", "sharpness 17 is under the limit of 20"
    trials["on_front"] = mark_front(trials, OBJECTIVES).astype(bool)
    return make_study(samples=False, trials=trials, objectives=OBJECTIVES, limits={"sharpness": 20.0})


def test_a_new_score_is_headed_with_its_unit_and_its_axis_says_which_way_is_better(sharp: Any) -> None:
    assert heading("sharpness", sharp) == "sharpness (dB)"
    assert axis("sharpness", sharp) == "sharpness (dB) of the proxy · higher is better"
    assert better(OBJECTIVES) == "lower is better, of sharpness higher"
    assert "sharpness" in measurements(sharp)
    assert "sharpness (dB)" in front_table(sharp)


def test_the_front_against_it_is_optunas(sharp: Any) -> None:
    info = front_info(sharp)
    assert info.cost == "sharpness"
    study = optuna.create_study(directions=["minimize", "maximize"])
    for point in info.front + info.dominated:
        study.add_trial(optuna.trial.create_trial(values=[point.quality, point.cost]))
    best = {(values[1], values[0]) for values in (trial.values for trial in study.best_trials)}
    assert {(point.cost, point.quality) for point in info.front} == best
    assert [(point.cost, point.quality) for point in info.staircase] == sorted(best, reverse=True)
    assert info.limit == 20.0
    assert {point.trial for point in info.infeasible} == set(sharp.trials["trial"][sharp.trials["sharpness"] < 20])


def test_charts_and_sentences_turn_with_it(sharp: Any, tmp_path: Path) -> None:
    axes = pareto_figure(front_info(sharp)).axes[0]
    assert axes.get_xlabel().endswith("higher is better")
    assert axes.get_ylabel().endswith("lower is better")
    assert any(label.startswith("under a limit") for label in axes.get_legend_handles_labels()[1])
    stairs = next(line for line in axes.lines if len(line.get_xdata()) > 4)
    assert list(stairs.get_xdata()) == sorted(stairs.get_xdata(), reverse=True)
    best = sharp.trials["sharpness"].max()
    assert "nothing tried beats them in both numbers. " in front_card(sharp, {}).sentence
    rows = sharp.trials[sharp.trials["status"] == "complete"]
    history = history_info(sharp)
    assert history is not None
    assert history.values == covered_after_each(rows[OBJECTIVES] * [1, -1])
    chosen = picks(sharp.front, OBJECTIVES, sharp.limits)
    assert (
        f"sharpness {sharp.trials.set_index('trial')['sharpness'][chosen['knee'].trial]:.4g} dB" in chosen["knee"].why
    )
    assert f"(the best: {best:.4g} dB)" in chosen["knee"].why
    assert "under the limits (sharpness from 20 dB)" in chosen["best"].why
    assert "fastest" not in chosen
    page = write_report(sharp, tmp_path / "report", {word: pick.trial for word, pick in chosen.items()}).read_text()
    assert "best sharpness on the front" in page
    assert "sharpness (dB) under the limit" in page


def test_with_a_cost_it_has_a_chart_of_its_own(sharp: Any, tmp_path: Path) -> None:
    study = replace(sharp, objectives=["quality", "latency_ms", "sharpness"])
    assert front_info(study).cost == "latency_ms"
    assert further_charts(study) == {"sharpness": ("sharpness", "The front by sharpness (dB)")}
    write_report(study, tmp_path / "report")
    assert (tmp_path / "report" / "pareto_sharpness.png").is_file()


def test_memory_and_size_of_each_device_are_costs_like_latency(make_study: Callable[..., Any]) -> None:
    made = make_study(samples=False)
    phone = Measurement(device="android:R5", name="pixel8", threads=4)
    memory = {"peak_memory_mb": 5 * made.trials["params_m"], "peak_memory_mb_pixel8": 9 * made.trials["params_m"]}
    study = replace(
        made,
        trials=made.trials.assign(**memory, model_mb=4 * made.trials["params_m"]),
        measure=[*made.measure, phone],
        objectives=["quality", "peak_memory_mb", "peak_memory_mb_pixel8"],
        limits={"peak_memory_mb_pixel8": 40.0},
        baseline=made.baseline | {"peak_memory_mb": 37.0, "peak_memory_mb_pixel8": 66.6},
    )
    assert heading("peak_memory_mb_pixel8", study) == "peak memory (MB, pixel8)"
    assert heading("model_mb", study) == "model size (MB, tflite)"
    info = front_info(study)
    assert info.cost == "peak_memory_mb"
    assert info.cost_title == "Peak memory on tflite in MB · measured: tflite, 2 threads, fp32 · lower is better"
    further = front_info(study, cost="peak_memory_mb_pixel8")
    assert (further.limit, further.baseline_cost, further.cost_unit) == (40.0, 66.6, "MB")
    assert further_charts(study) == {
        "peak_memory_mb_pixel8": ("peak_memory_mb_pixel8", "The front by peak memory (MB, pixel8)")
    }
    assert {"peak memory (MB, tflite)", "peak memory (MB, pixel8)", "model size (MB, tflite)"} <= set(
        front_table(study)
    )
    assert picks(study.front, study.objectives)["cheapest"].why.endswith(" MB")


@pytest.fixture
def on_disk(tmp_path: Path) -> Study:
    """A study on disk that has that score, and another one among its objectives."""
    text = MINI.replace("[quality, macs_g]", "[quality, adherence]")
    study = write_study(tmp_path, complete=6, text=text)
    for record in study.records:
        proxy = record.evaluation.proxy
        assert proxy is not None
        scores = {"sharpness": mean_score(20.0 + record.trial), "adherence": mean_score(0.5 + 0.01 * record.trial)}
        scored = replace(proxy, scores=scores)
        whole = replace(record, evaluation=replace(record.evaluation, proxy=scored))
        whole.save(study.files.trial(record.trial) / "evaluation.json")
    return Study(study.files)


def test_mirrors_and_dashboard_have_it(on_disk: Study) -> None:
    rows = trial_rows(on_disk, on_disk.records[2])
    assert rows is not None
    assert (rows.row["sharpness"], rows.row["adherence"]) == (22.0, 0.52)
    study = study_rows(on_disk, on_disk.folder / "no picture")
    assert study.trials["sharpness"].tolist() == [20.0 + trial for trial in range(6)]
    assert chart_titles(study) == {"adherence": "quality against adherence (lower is better, of adherence higher)"}
    assert study.growth["hypervolume"].is_monotonic_increasing
    directions = RecordsStorage(on_disk).get_study_directions(0)
    assert [direction.name for direction in directions] == ["MINIMIZE", "MAXIMIZE"]


def test_studies_are_compared_by_it(tmp_path: Path, on_disk: Study) -> None:
    shutil.copytree(on_disk.folder, tmp_path / "other")
    info = compare_info(compare([on_disk, load_study("other", tmp_path)]))
    assert info.cost_direction == "maximize"
    assert info.cost_title.endswith("higher is better")
    assert [point.cost for point in info.staircase] == sorted((point.cost for point in info.staircase), reverse=True)
