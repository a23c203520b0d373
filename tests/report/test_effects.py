"""The card of effects: what it says of a search and of an ablation, and what it draws."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from archlab.analysis.effects import price_list
from archlab.cost import count
from archlab.report import write_report
from archlab.report.effects import effects_card, prices
from tests.analysis.effects.studies import made_up_study, write_space


def quality(knobs: set[str], seed: int) -> float:
    return 0.2 + 0.02 * ("conv" in knobs) + 0.001 * ((7 * len(knobs) + 3 * seed) % 5)


def test_a_search_is_no_experiment_and_its_prices_are_written(make_study: Any, tmp_path: Path) -> None:
    study = make_study(300, samples=False)
    card = effects_card(study, {})
    assert "this was a search and no experiment" in card.sentence
    assert "a rung stopped" not in card.sentence
    found = price_list(study)
    assert set(found["knob"]) == set(study.knobs)
    assert set(card.figure.data[1].y) == set(found["change"][found["low"].notna()])
    assert list(card.data["Δ latency (ms)"]) == pytest.approx(list(found["latency_ms_change"]), nan_ok=True)
    separable: Any = found.set_index("change").loc["conv = separable"]
    assert separable["latency_ms_change"] < 0  # made so
    write_report(study, tmp_path / "report")
    assert (tmp_path / "report" / "prices.md").read_text().count("\n") == len(found) + 2


def test_a_search_with_rungs_is_said_to_have_lost_its_worst(make_study: Any) -> None:
    trials = make_study(samples=False).trials
    trials.loc[0, ["status", "stopped_at", "quality"]] = "stopped", 200.0, np.nan
    assert (
        "Trials that a rung stopped are not among them"
        in effects_card(make_study(samples=False, trials=trials), {}).sentence
    )


def test_each_device_has_its_column(two_devices: Any) -> None:
    assert {"Δ latency (ms, tflite)", "Δ latency (ms, pixel8)"} <= set(prices(two_devices))
    assert "Estimated latencies count like measured ones" in effects_card(two_devices, {}).sentence


@pytest.mark.parametrize(("strategy", "rows"), [("ablate", 5), ("leave_one_out", 6), ("factorial", 15)])
def test_an_ablation_has_every_effect_with_its_interval(strategy: str, rows: int, tmp_path: Path) -> None:
    study = made_up_study(tmp_path, write_space(tmp_path, strategy), quality, seeds=3)
    card = effects_card(study, {})
    assert card.data is not None
    assert len(card.data) == len(card.figure.data[0].y) == rows
    assert f"{rows} intervals at 95 % each" in card.sentence
    worst = card.data.set_index("change").loc["conv = separable"]
    assert worst["verdict"].startswith("worse by 0.0")
    assert len(prices(study)) == 5


def test_a_ladder_stands_beside_what_is_reported(tmp_path: Path) -> None:
    definition = write_space(tmp_path, "ladder")
    first, *others = definition.settings.ladder
    steps = [first.model_copy(update={"reported": "params −5 %"}), *others]
    settings = definition.settings.model_copy(update={"ladder": tuple(steps)})
    study = made_up_study(tmp_path, replace(definition, settings=settings), quality, seeds=3)
    write_report(study, tmp_path / "report")
    table = pd.read_csv(tmp_path / "report" / "effects.csv").set_index("change")
    assert table["reported"].dropna().to_dict() == {first.step: "params −5 %"}
    assert len(table) == len(steps)
    assert (tmp_path / "report" / "effects.png").stat().st_size > 10_000


def test_one_seed_is_said_to_tell_nothing(tmp_path: Path) -> None:
    card = effects_card(made_up_study(tmp_path, write_space(tmp_path, "ablate"), quality), {})
    assert card.sentence.endswith("Nothing has an interval: one seed cannot tell an effect from chance.")
    assert card.figure is None


def test_where_nothing_is_trained_costs_are_exact_and_quality_is_said_to_be_unknown(make_study: Any) -> None:
    trials = make_study(samples=False).trials
    study = make_study(samples=False, trials=trials.assign(quality=np.nan))
    card = effects_card(study, {})
    row = card.data.set_index("change").loc["ff_ratio = 4"]
    before, after = count(study.baseline_spec), count(study.space.changed("ff_ratio", 4))
    assert row["Δ MACs (G)"] == pytest.approx(after.macs_g - before.macs_g)
    assert row["verdict"].startswith("cannot be told: no comparable trained trial")
