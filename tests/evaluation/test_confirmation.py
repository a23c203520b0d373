"""Ratios side by side, against scipy and by simulation."""

import random
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from archlab.errors import BadInput
from archlab.evaluation import Confirmation, Confirmed, Evaluation, SideBySide, Timing
from archlab.evaluation.confirmation import LEAST_ROUNDS, MOST_ROUNDS, geometric_mean
from archlab.evaluation.fact import from_json, read_fact, to_json, write_fact
from tests.made_up_facts import estimated, measured

HOW = {"kind": "measured", "device": "tflite"}
LOUD = "it waited for a processor"


def rounds(*pairs: tuple[float, float], loud: tuple[int, ...] = ()) -> SideBySide:
    """Rounds of the baseline and ``a``, in ms; in those at ``loud``, ``a`` was noisy."""
    side = SideBySide(baseline="base")
    for index, (baseline, own) in enumerate(pairs):
        side = side.with_round({"base": Timing(baseline), "a": Timing(own, LOUD if index in loud else None)}, HOW)
    return side


def test_the_interval_is_students_t_of_the_logarithms() -> None:
    values = [0.5, 0.52, 0.47, 0.55]
    logs = np.log(values)
    low, high = stats.t.interval(0.95, 3, loc=logs.mean(), scale=stats.sem(logs))
    assert geometric_mean(values) == pytest.approx((stats.gmean(values), np.exp(low), np.exp(high)))
    assert geometric_mean([0.5]).half_width == float("inf")


def test_what_slows_a_round_down_cancels() -> None:
    side = rounds((10.0, 5.0), (15.0, 7.5), (30.0, 15.0))
    assert side.ratio("a") == pytest.approx((0.5, 0.5, 0.5))
    confirmed = side.confirmed("a", measured(99.0))
    assert isinstance(confirmed, Confirmed)
    assert (confirmed.median_ms, confirmed.rounds, confirmed.noise) == (pytest.approx(7.5), 3, None)


def test_noisy_rounds_are_left_out_where_enough_others_are_there() -> None:
    pairs = [(10.0, 5.0), (10.0, 5.0), (10.0, 5.0), (10.0, 9.0)]
    assert rounds(*pairs, loud=(3,)).ratio("a").value == pytest.approx(0.5)
    side = rounds(*pairs, loud=(0, 3))
    assert side.ratio("a").value > 0.5
    assert side.noise("a") == f"fewer than 3 of 4 rounds were quiet: {LOUD}"


def test_the_interval_covers_the_truth_although_it_decides_when_to_stop() -> None:
    source, covered, studies = random.Random(0), 0, 400
    for _ in range(studies):
        side = SideBySide(baseline="base")
        while not side.is_settled("a"):
            own, baseline = (Timing(source.lognormvariate(0, 0.02)) for _ in range(2))
            side = side.with_round({"base": baseline, "a": own}, HOW)
        ratio = side.ratio("a")
        covered += ratio.low <= 1 <= ratio.high
        assert LEAST_ROUNDS <= side.seen("a") <= MOST_ROUNDS
    assert covered / studies > 0.9


def test_another_run_measures_anew_what_was_noisy_and_nothing_else() -> None:
    both = [{"base": Timing(10.0), "quiet": Timing(5.0)}] * 3
    known = {"failed": {"b": "out of memory"}, "not_measured": "it is away", "provenance": HOW}
    side = SideBySide(baseline="base", rounds=tuple(both), **known)  # type: ignore[arg-type]
    for _ in range(5):
        side = side.with_round({"base": Timing(10.0), "loud": Timing(5.0, LOUD)}, HOW)
    assert side.given_up == ("loud",)
    again = side.reopened()
    assert (again.rounds, again.given_up, again.failed, again.not_measured) == (tuple(both), (), {}, None)
    assert again.reopened() == again


def test_it_is_read_back_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    side = rounds((10.0, 5.0), (10.0, 5.1), (10.0, 5.0), loud=(1,))
    confirmation = Confirmation(devices={"here": side}, measured_at="2026-01-01T00:00:00+00:00")
    path = tmp_path / "confirmation.json"
    write_fact(confirmation, path)
    assert read_fact(Confirmation, path) == confirmation
    path.write_text(path.read_text().replace("10.0", "-10.0", 1))
    with pytest.raises(BadInput, match=r"confirmation\.json: damaged: devices\.here\.rounds\.0\.base\.ms"):
        read_fact(Confirmation, path)
    latency = confirmation.latencies("a", {"here": measured(6.0), "phone": estimated(9.0)})
    evaluation = Evaluation(status="complete", latency=latency)
    assert from_json(Evaluation, to_json(evaluation), "here") == evaluation
    assert evaluation.cells()["latency_rounds"] == 3
