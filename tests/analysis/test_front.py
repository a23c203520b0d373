"""The front against Optuna's own."""

import random
import time
from itertools import product

import numpy as np
import optuna
import pandas as pd
import pytest

from archlab.analysis.front import is_dominated, mark_front, may_be_on_front

OBJECTIVES = ["quality", "latency_ms", "params_m"]


@pytest.mark.parametrize(("seed", "objectives"), product(range(3), [1, 2, 3]))
def test_front_is_optunas_best_trials(seed: int, objectives: int) -> None:
    source = random.Random(seed)
    points = [tuple(source.randrange(8) / 8 for _ in range(objectives)) for _ in range(40)]
    study = optuna.create_study(directions=["minimize"] * objectives)
    for point in points:
        study.add_trial(optuna.trial.create_trial(values=list(point)))
    table = pd.DataFrame(points, columns=OBJECTIVES[:objectives]).assign(status="complete", trial=range(40))
    expected = (
        {t.number for t in study.best_trials}
        if objectives > 1
        else {number for number, point in enumerate(points) if point == min(points)}  # best_trials has one of equals
    )
    assert set(table["trial"][mark_front(table, OBJECTIVES[:objectives])]) == expected


def test_trials_that_were_not_trained_are_never_on_the_front() -> None:
    rows = pd.DataFrame({"status": ["complete"] * 4, "quality": [0.5, 0.1, 0.4, 0.2], "macs_g": [10.0, 1, 20, 1]})
    rows["status"] = ["complete", "gated", "complete", "stopped"]
    rows.loc[1, "quality"] = np.nan
    assert list(mark_front(rows, ["quality", "macs_g"])) == [True, False, True, False]
    assert list(mark_front(rows[:0], ["quality", "macs_g"])) == []


def test_ten_thousand_trials_take_a_moment() -> None:
    values = np.random.default_rng(0).random((10_000, 3))
    table = pd.DataFrame(values, columns=OBJECTIVES).assign(status="complete")
    started = time.perf_counter()
    mark_front(table, OBJECTIVES)
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("seed", range(3))
def test_what_may_be_on_the_front_is_on_the_front_of_its_best_case(seed: int) -> None:
    """A point is there if it would be with itself at its low end and all others at their high ends."""
    draw = np.random.default_rng(seed)
    low = draw.integers(0, 12, (40, 2)).astype(float)
    high = low + draw.integers(0, 3, (40, 2))
    found = may_be_on_front(low, high)
    assert 0 < found.sum() < 40
    for index, point in enumerate(low):
        assert found[index] == (not is_dominated(point, np.delete(high, index, axis=0)))
    assert list(may_be_on_front(low, low)) == list(mark_front(table_of(low), OBJECTIVES[:2]))


def table_of(points: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(points, columns=OBJECTIVES[:2]).assign(status="complete")
