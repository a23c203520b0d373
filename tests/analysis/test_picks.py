"""Picks worked by hand."""

import pandas as pd
import pytest

from archlab.analysis.front import mark_front
from archlab.analysis.picks import Pick, next_to_export, pick, picks
from archlab.errors import BadInput

OBJECTIVES = ["quality", "latency_ms"]
# Scaled to the front's range: (1, 0), (0.25, 0.25), (0.05, 0.5), (0, 1): the second is nearest to (0, 0).
FRONT: list[tuple[float, float, float]] = [(0.5, 10, 1.0), (0.2, 15, 3.0), (0.12, 20, 0.5), (0.1, 30, 2.0)]


def table(points: list[tuple[float, float, float]]) -> pd.DataFrame:
    rows = [
        {"trial": n, "status": "complete", "reason": None, "quality": q, "latency_ms": ms, "params_m": m}
        for n, (q, ms, m) in enumerate(points)
    ]
    return pd.DataFrame(rows)


def trials(chosen: dict[str, Pick]) -> dict[str, int]:
    return {word: choice.trial for word, choice in chosen.items()}


def test_picks_worked_by_hand() -> None:
    chosen = picks(table(FRONT), OBJECTIVES, {"latency_ms": 40.0})
    # A tenth of the quality range 0.1 … 0.5 is 0.04: trials 2 and 3 are so near to the best, and 2 is faster.
    assert trials(chosen) == {"knee": 1, "good_and_fast": 2, "best": 3, "smallest": 2, "fastest": 0}
    assert "latency_ms 15 ms (the best: 10 ms)" in chosen["knee"].why
    assert (
        "20 ms, of those whose quality is within 0.04 of the best (10% of the front's range)"
        in chosen["good_and_fast"].why
    )
    assert "under the limits (latency_ms up to 40 ms): 0.1, at 30 ms" in chosen["best"].why
    assert chosen["smallest"].why.endswith("0.5 M parameters")


@pytest.mark.parametrize(
    ("word", "trial"),
    [("good_and_fast:0%", 3), ("good_and_fast", 2), ("good_and_fast:25%", 1), ("good_and_fast:100%", 0)],
)
def test_good_and_fast_gives_away_as_much_quality_as_asked(word: str, trial: int) -> None:
    assert pick(table(FRONT), table(FRONT), OBJECTIVES, word).trial == trial


def test_of_equals_the_earlier_trial_is_picked_whatever_the_order_of_the_rows() -> None:
    front = table([(0.5, 10, 1.0), (0.1, 30, 1.0), (0.5, 10, 1.0), (0.1, 30, 1.0)])
    for rows in (front, front[::-1]):
        assert trials(picks(rows, OBJECTIVES)) == {
            "knee": 1,
            "good_and_fast": 1,
            "best": 1,
            "smallest": 1,
            "fastest": 0,
        }


def test_picks_of_one_point_of_one_objective_and_of_none() -> None:
    one = table(FRONT[:1])
    assert set(trials(picks(one, OBJECTIVES)).values()) == {0}
    assert set(picks(one, ["quality"])) == {"knee", "best", "smallest"}
    assert picks(one.iloc[:0], OBJECTIVES) == {}


def test_pick_by_number_and_what_cannot_be_picked() -> None:
    rows = table([(0.5, 10, 1), (0.6, 20, 1)])
    rows.loc[1, ["status", "reason"]] = ["gated", "macs_g 5 is over the limit of 4"]
    front = rows[mark_front(rows, OBJECTIVES)]
    assert pick(rows, front, OBJECTIVES, "0").trial == 0
    with pytest.raises(BadInput, match=r"trial 1 is gated .*over the limit of 4"):
        pick(rows, front, OBJECTIVES, "1")
    with pytest.raises(BadInput, match="there is no trial 9; the last is 1"):
        pick(rows, front, OBJECTIVES, "9")
    with pytest.raises(BadInput, match="no 'kne'; did you mean 'knee'\\?; or a trial's number"):
        pick(rows, front, OBJECTIVES, "kne")
    with pytest.raises(BadInput, match="the front is empty"):
        pick(rows, front.iloc[:0], OBJECTIVES, "knee")


@pytest.mark.parametrize(
    "word",
    [
        "²",
        "9" * 5000,
        "good_and_fast:x%",
        "good_and_fast:200%",
        "good_and_fast:100.1%",
        "good_and_fast:",
        "good_and_fast:-1%",
        "best:5%",
    ],
)
def test_a_word_that_is_no_pick_is_one_line(word: str) -> None:
    with pytest.raises(BadInput, match=r"^--pick: "):
        pick(table(FRONT), table(FRONT), OBJECTIVES, word)


def with_intervals(points: list[tuple[float, float, float]], half: float) -> pd.DataFrame:
    known = table(points)
    ends = {"latency_low_ms": known["latency_ms"] - half, "latency_high_ms": known["latency_ms"] + half}
    return known.assign(**ends, latency_noisy=False)


def test_picks_within_noise_say_so() -> None:
    near = [(0.5, 10.0, 1.0), (0.2, 11.0, 3.0), (0.12, 20.0, 0.5), (0.1, 20.5, 2.0)]
    sure = picks(with_intervals(near, 0.1), OBJECTIVES)
    assert not any("noise" in choice.why for choice in sure.values())
    assert trials(picks(with_intervals(near, 0.6), OBJECTIVES)) == trials(sure)
    unsure = picks(with_intervals(near, 0.6), OBJECTIVES)
    assert unsure["fastest"].why.endswith("; within the noise of measuring, trial 1 may need less")
    assert unsure["good_and_fast"].why.endswith("; within the noise of measuring, trial 3 may need less")
    assert "noise" not in unsure["smallest"].why
    assert "may be as near within the noise of measuring" not in unsure["knee"].why
    assert "; trials 2 and 3 may be as near" in picks(with_intervals(near, 9.0), OBJECTIVES)["knee"].why


def test_a_pick_with_a_noisy_latency_says_so() -> None:
    front = with_intervals(FRONT, 0.1).assign(latency_noisy=[True, False, False, False])
    chosen = picks(front, OBJECTIVES)
    assert chosen["fastest"].why.endswith("; its latency_ms is noisy")
    assert "noisy" not in chosen["best"].why


def test_what_is_fastest_takes_no_share_and_no_latency_is_no_speed() -> None:
    rows = table(FRONT)
    with pytest.raises(
        BadInput, match="'fastest' is the least of all and takes no share; good_and_fast:25% may be meant"
    ):
        pick(rows, rows, OBJECTIVES, "fastest:25%")
    with pytest.raises(
        BadInput, match="no 'cheapest': 'fastest' is the least latency_ms, the study's first cost objective"
    ):
        pick(rows, rows, OBJECTIVES, "cheapest")
    by_size = picks(rows, ["quality", "params_m"])
    assert (by_size["good_and_cheap"].trial, by_size["cheapest"].trial) == (2, 2)


def test_the_baseline_is_not_what_to_export_next() -> None:
    rows = table(FRONT).assign(architecture=["a", "baseline", "c", "d"])
    chosen = picks(rows, OBJECTIVES)
    assert (chosen["knee"].trial, next_to_export(chosen, rows, "baseline")) == (1, "good_and_fast")
    assert next_to_export(chosen, rows, "a") == "knee"
    assert next_to_export(picks(rows[1:2], OBJECTIVES), rows, "baseline") is None
