"""The registry of measures: which columns there are, which way is better, what they need."""

from dataclasses import replace

import pytest

from archlab.evaluation import MEASURES, Evaluation, find_column
from archlab.evaluation.measures import (
    COSTS,
    OF_DEVICES,
    QUALITIES,
    ZERO_COST,
    breaks,
    device_columns,
    direction,
    excess,
    minimised,
)
from tests.made_up_facts import measured, trained


def test_every_measure_can_be_found_by_its_own_name() -> None:
    for name, measure in MEASURES.items():
        column = find_column(name)
        assert column is not None
        assert (column.measure, column.device, column.steps) == (measure, "", None)
        assert measure.heading


def test_measures_are_grouped_by_what_they_need() -> None:
    assert COSTS == ("params_m", "macs_g")
    assert OF_DEVICES == ("latency_ms", "latency_p90_ms", "peak_memory_mb", "model_mb")
    assert set(QUALITIES) == {"val_loss", "fid", "kid", "precision", "recall", "adherence", "clip_score"}
    assert ZERO_COST == ("grad_norm", "synflow", "naswot")
    assert set(MEASURES) == {*COSTS, *OF_DEVICES, *QUALITIES, *ZERO_COST, "quality"}


@pytest.mark.parametrize(
    ("name", "measure", "device", "steps", "quarter"),
    [
        ("latency_ms_pixel8", "latency_ms", "pixel8", None, None),
        ("latency_p90_ms_my-phone.2", "latency_p90_ms", "my-phone.2", None, None),
        ("peak_memory_mb_mac", "peak_memory_mb", "mac", None, None),
        ("fid_8_steps", "fid", "", 8, None),
        ("val_loss_q3", "val_loss", "", None, 3),
    ],
)
def test_columns_say_their_device_steps_and_quarter(
    name: str, measure: str, device: str, steps: int | None, quarter: int | None
) -> None:
    column = find_column(name)
    assert column is not None
    assert (column.measure.name, column.device, column.steps, column.quarter) == (measure, device, steps, quarter)


@pytest.mark.parametrize("name", ["conv", "trial", "latency", "latency_kind", "val_loss_q5", "steps", ""])
def test_other_columns_hold_no_measure(name: str) -> None:
    assert find_column(name) is None


def test_the_first_device_has_the_plain_names() -> None:
    assert device_columns("model_mb", ["here", "phone"]) == {"model_mb": "here", "model_mb_phone": "phone"}


def test_better_is_lower_but_for_what_is_maximised() -> None:
    assert [name for name in MEASURES if direction(name) == "maximize"] == [
        *("precision", "recall", "adherence", "clip_score"),
        *ZERO_COST,
    ]
    assert direction("adherence_8_steps") == "maximize"
    assert minimised({"quality": 0.5, "adherence": 0.75}) == (0.5, -0.75)
    assert minimised({"quality": 0.5, "latency_ms": None}) is None


def test_a_limit_is_a_ceiling_or_a_floor() -> None:
    assert breaks("latency_ms", 3.0, 2.0)
    assert not breaks("latency_ms", 2.0, 2.0)
    assert breaks("adherence", 0.8, 0.9)
    assert not breaks("adherence", 0.9, 0.9)
    assert excess("latency_ms", 3.0, 2.0) == pytest.approx(0.5)
    assert excess("adherence", 0.45, 0.9) == pytest.approx(0.5)
    assert excess("adherence", 1.8, 0.9) < 0


def test_an_evaluation_has_a_value_for_every_measure_that_was_made() -> None:
    evaluation = Evaluation(
        status="complete",
        params_m=1.0,
        macs_g=2.0,
        latency={"here": measured(3.0, peak_memory_mb=50.0), "phone": measured(4.0, model_mb=6.0)},
        proxy=replace(trained(0.5, further={"adherence": 0.75, "fid_8_steps": 6.0}), zero_cost={"naswot": 7.0}),
    )
    known = {
        "params_m": 1.0,
        "macs_g": 2.0,
        "latency_ms": 3.0,
        "latency_ms_phone": 4.0,
        "peak_memory_mb": 50.0,
        "model_mb_phone": 6.0,
        "quality": 0.5,
        "adherence": 0.75,
        "fid_8_steps": 6.0,
        "naswot": 7.0,
        "fid": None,
        "kid": None,
    }
    assert {name: evaluation.value(name) for name in known} == known


def test_a_stopped_training_has_no_scores() -> None:
    stopped = Evaluation(status="stopped", proxy=replace(trained(0.5, further={"adherence": 0.75}), stopped_at=3))
    assert (stopped.value("quality"), stopped.value("adherence")) == (None, None)
    assert stopped.cells()["stopped_at"] == 3
