"""Drivers that share a study confirm its front once."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from archlab.study import Study, run_study
from archlab.study.definition import StudyDefinition
from tests.study.store.server import Server
from tests.study.test_confirm import Clock, definition_of, true_front


@pytest.fixture
def url(server: Server) -> str:
    return server.empty_database()


def test_one_of_two_drivers_confirms_and_the_other_has_its_rounds(tmp_path: Path, url: str) -> None:
    definition, clock = definition_of(tmp_path), Clock(jitter=0.01)

    def drive(machine: str) -> Study:
        return run_study(definition, root=tmp_path / machine, storage=url, stages=clock.stages)

    with ThreadPoolExecutor(2) as drivers:
        one, other = drivers.map(drive, ["one", "other"])
    assert one.confirmation == other.confirmation
    assert set(one.front["trial"]) == set(other.front["trial"]) == true_front(one)
    rounds = one.confirmation.devices["here"].rounds
    assert Counter(clock.again) == Counter(own for each in rounds for own in each)


def test_another_driver_goes_on_where_one_was_killed(tmp_path: Path, url: str) -> None:
    definition: StudyDefinition = definition_of(tmp_path)
    clock = Clock(fails_at=25)
    with pytest.raises(KeyboardInterrupt):
        run_study(definition, root=tmp_path / "one", storage=url, stages=clock.stages)
    study = run_study(definition, root=tmp_path / "other", storage=url, stages=clock.stages)
    assert set(study.front["trial"]) == true_front(study)
    assert len(study.confirmation.devices["here"].rounds) == 3
    assert max(Counter(clock.again).values()) <= 4
