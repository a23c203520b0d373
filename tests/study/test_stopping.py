"""Stop rules worked by hand."""

import pytest

from archlab.study.settings import StopSettings
from archlab.study.stopping import reason_to_stop

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
