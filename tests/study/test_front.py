"""The front against Optuna's own, and picks worked by hand."""

import random

import optuna
import pandas as pd
import pytest

from archlab.errors import BadInput
from archlab.study.front import mark_front, pick, picks

OBJECTIVES = ["quality", "latency_ms"]


def table(points: list[tuple[float, float]]) -> pd.DataFrame:
    rows = [
        {"trial": n, "status": "complete", "reason": None, "quality": q, "latency_ms": ms}
        for n, (q, ms) in enumerate(points)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("seed", range(5))
def test_front_is_optunas_best_trials(seed: int) -> None:
    source = random.Random(seed)
    points = [(source.randrange(8) / 8, source.randrange(8)) for _ in range(40)]
    study = optuna.create_study(directions=["minimize", "minimize"])
    for quality, latency in points:
        study.add_trial(optuna.trial.create_trial(values=[quality, latency]))
    marked = table(points)
    assert set(marked["trial"][mark_front(marked, OBJECTIVES)]) == {t.number for t in study.best_trials}


def test_trials_that_were_not_trained_are_never_on_the_front() -> None:
    rows = table([(0.5, 10), (0.1, 1), (0.4, 20)])
    rows.loc[1, ["status", "quality"]] = ["gated", None]
    assert list(mark_front(rows, OBJECTIVES)) == [True, False, True]


def test_picks_worked_by_hand() -> None:
    # Scaled to the front's range: (1, 0), (0.25, 0.25), (0, 1): the middle one is nearest to (0, 0).
    front = table([(0.5, 10), (0.2, 15), (0.1, 30)])
    chosen = picks(front, OBJECTIVES)
    assert {word: choice.trial for word, choice in chosen.items()} == {"knee": 1, "fastest": 0, "best": 2}
    assert "10" in chosen["fastest"].why


def test_picks_of_one_point_and_of_none() -> None:
    assert {choice.trial for choice in picks(table([(0.5, 10)]), OBJECTIVES).values()} == {0}
    assert picks(table([(0.5, 10)]).iloc[:0], OBJECTIVES) == {}


def test_pick_by_number_and_what_cannot_be_picked() -> None:
    rows = table([(0.5, 10), (0.6, 20)])
    rows.loc[1, ["status", "reason"]] = ["gated", "macs_g 5 is over the limit of 4"]
    front = rows[mark_front(rows, OBJECTIVES)]
    assert pick(rows, front, OBJECTIVES, "0").trial == 0
    with pytest.raises(BadInput, match=r"trial 1 is gated .*over the limit of 4"):
        pick(rows, front, OBJECTIVES, "1")
    with pytest.raises(BadInput, match="there is no trial 9; the last is 1"):
        pick(rows, front, OBJECTIVES, "9")
    with pytest.raises(BadInput, match="no 'kne'; valid: knee, fastest, best, a trial's number"):
        pick(rows, front, OBJECTIVES, "kne")
    with pytest.raises(BadInput, match="the front is empty"):
        pick(rows, front.iloc[:0], OBJECTIVES, "knee")


@pytest.mark.parametrize("word", ["²", "9" * 5000])
def test_a_number_that_no_trial_has_is_one_line(word: str) -> None:
    table = pd.DataFrame({"trial": [0], "status": ["complete"], "quality": [1.0]})
    with pytest.raises(BadInput, match="--pick: no"):
        pick(table, table, ["quality"], word)
