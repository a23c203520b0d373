"""Stop rules worked by hand."""

from datetime import datetime

import pytest

from archlab.evaluation import Evaluation
from archlab.study.definition import StudyDefinition
from archlab.study.finished import FinishedTrials
from archlab.study.settings import StopSettings
from archlab.study.stopping import reason_to_stop
from tests.made_up_facts import record

Points = list[tuple[float, float] | None]
ENDS: Points = [(0.0, 1.0), (1.0, 0.0)]


@pytest.mark.parametrize(
    ("points", "stops"),
    [
        ([], False),
        ([None] * 9, False),  # nothing was trained: nothing to gain on
        ([*ENDS, None, (1.0, 1.0), (0.9, 0.9), None], False),  # the fifth is new on the front
        ([*ENDS, (0.9, 0.9), None, (1.0, 1.0), (0.9, 0.9), None], True),
        ([*ENDS, (0.4, 0.4), None, None, None], False),  # three are not yet four
        ([*ENDS, (0.4, 0.4), None, None, None, None], True),
        ([*ENDS, (0.4, 0.4), None, None, None, (0.3999, 0.4)], True),  # a gain, but none to speak of
        ([None, None, None, None, (0.5, 0.5)], False),  # the first trained trial is a gain
        ([(0.5, 0.5), None, None, None, (0.6, 0.4)], False),  # a new end of the front, worst in the other number
    ],
)
def test_a_study_ends_when_the_last_four_trials_gained_nothing(points: Points, stops: bool) -> None:
    reason = reason_to_stop(StopSettings(no_gain=4), points, hours=0)
    assert (reason is not None) == stops
    assert not stops or "the last 4 trials added" in str(reason)


def test_a_study_ends_after_its_hours() -> None:
    assert reason_to_stop(StopSettings(hours=1.5), [], hours=1.49) is None
    assert reason_to_stop(StopSettings(hours=1.5), [], hours=1.5) == (
        "search.stop.hours: the study has run for 1.5 of 1.5 hours"
    )
    assert reason_to_stop(StopSettings(), [*ENDS] * 50, hours=1e9) is None


def test_hours_are_those_in_which_something_was_under_way_pauses_left_out(definition: StudyDefinition) -> None:
    def at(time: str) -> float:
        return datetime.fromisoformat(f"2026-01-01T{time}:00+00:00").timestamp()

    finished = FinishedTrials(definition.settings, [record(Evaluation(status="complete"), seconds=3600.0)])  # at ten
    spans = {0: [(at("07:00"), at("07:30"))], 1: [(at("09:00"), at("09:40"))]}
    assert finished.hours([at("09:50")], at("10:30"), spans) == pytest.approx(0.5 + 1.5)
    assert finished.hours([], at("10:30"), {}) == pytest.approx(1.0)
