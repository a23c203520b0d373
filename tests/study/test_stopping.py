"""Stop rules worked by hand."""

import random
from datetime import datetime
from pathlib import Path

import numpy as np
import optuna
import pytest

from archlab.evaluation import Evaluation
from archlab.study.definition import StudyDefinition
from archlab.study.finished import FinishedTrials
from archlab.study.folder import study_folder
from archlab.study.hours import Hours, Stretches
from archlab.study.open_trials import OpenTrials, OwnTrial
from archlab.study.paused import Paused, pause
from archlab.study.settings import StopSettings
from archlab.study.stopping import reason_to_stop
from archlab.study.store import open_store
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


def test_hours_are_those_in_which_something_was_under_way_pauses_left_out(
    definition: StudyDefinition, tmp_path: Path
) -> None:
    def at(time: str) -> float:
        return datetime.fromisoformat(f"2026-01-01T{time}:00+00:00").timestamp()

    def paused(trial: optuna.Trial, *span: str) -> OwnTrial:
        worked = Paused(evaluation=Evaluation(status="stopped"), seconds=1.0, spans=((at(span[0]), at(span[1])),))
        pause(trial, worked)
        open_trials.add(own := OwnTrial(trial, definition.space.baseline, {}, at(span[0]), paused=worked))
        return own

    def resume(own: OwnTrial, time: str) -> None:
        own.since, own.until = at(time), 10
        open_trials.add(own)

    finished, open_trials = FinishedTrials(definition.settings, []), OpenTrials()
    with open_store(definition, study_folder("mini", tmp_path)) as store:
        hours = Hours(store, finished, open_trials)
        first, second = (store.optuna.ask() for _ in range(2))
        assert hours.until(at("06:00")) == 0
        resumed = paused(first, "07:00", "07:30")
        assert hours.until(at("08:00")) == pytest.approx(0.5)
        resume(resumed, "09:30")
        resume(paused(second, "09:00", "09:40"), "09:50")
        assert hours.until(at("09:55")) == pytest.approx(0.5 + 55 / 60)
        open_trials.remove(first.number)
        finished.add(record(Evaluation(status="complete"), seconds=3600.0))  # at ten
        for known in (hours, hours, Hours(store, finished, open_trials)):
            assert known.until(at("10:30")) == pytest.approx(0.5 + 1.5)


def test_stretches_of_time_that_overlap_count_once() -> None:
    source, stretches, second = random.Random(0), Stretches(), np.zeros(1000, dtype=bool)
    for _ in range(200):
        start, now = source.randrange(900), source.randrange(900, 1000)
        end = start + source.randrange(12)
        stretches.add(start, end)
        second[start:end] = True
        since = source.randrange(900)
        assert stretches.seconds(since, now) == np.count_nonzero(
            second | (np.arange(1000) >= since) & (np.arange(1000) < now)
        )
