"""A study that pauses trainings, its driver killed at random moments: the table, and the order of trainings, are those
of an undisturbed run. ``pytest -m slow tests/study/faults`` kills thirty times."""

import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from archlab.study import load_study
from archlab.study.executors.processes import PRELOADED
from tests.study.faults.paused import drive
from tests.study.read_back import database, journal
from tests.study.spaces import MINI, write_space
from tests.study.store.server import Server

SPACE = MINI.replace("[3]", "[5, 10, 20]").replace("strategy: tpe, trials: 6", "strategy: surrogate, trials: 8")
LOG = list[tuple[str, ...]]


class Killed:
    """A study in a folder of its own whose driver is started again after every kill."""

    def __init__(self, folder: Path, url: str | None = None) -> None:
        folder.mkdir()
        self.space, self.root, self.url = write_space(folder, SPACE), folder / "studies", url
        self.processes = multiprocessing.get_context("forkserver")
        self.processes.set_forkserver_preload([*PRELOADED, "tests.study.faults.paused"])  # this process has one server
        self.kills = 0

    def run(self) -> None:
        """Until it is done."""
        driver = self._driver()
        driver.join()
        assert driver.exitcode == 0

    def kill(self, source: random.Random) -> bool:
        """A new driver once it has got on a little, or while it starts, and a moment later; whether it was in time."""
        driver, wanted = self._driver(), len(self.log()) + source.randint(0, 5)
        while len(self.log()) < wanted and driver.exitcode is None:
            time.sleep(0.005)
        driver.join(source.uniform(0, 0.2))
        is_done = driver.exitcode is not None
        if not is_done:
            driver.kill()
            driver.join()
            self.kills += 1
        assert not is_done or driver.exitcode == 0
        return not is_done

    def _driver(self) -> Any:
        driver = self.processes.Process(target=drive, args=(self.space, self.root, self.url))
        driver.start()
        return driver

    def log(self) -> LOG:
        path = self.root / "mini" / "log.txt"
        return [tuple(line.split()) for line in path.read_text().splitlines()] if path.is_file() else []

    def table(self) -> list[tuple[object, ...]]:
        trials = load_study("mini", self.root).trials.fillna(-1)
        columns = ["trial", "status", "architecture", "macs_g", "quality", "stopped_at", "reason"]
        return [tuple(row) for row in trials[columns].to_numpy()]

    def states(self) -> set[TrialState]:
        study = database("mini", self.url) if self.url else journal(self.root / "mini")
        return {trial.state for trial in study.trials}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    study = Killed(tmp_path_factory.mktemp("faults") / "undisturbed")
    study.run()
    return study


def disturb(kills: int, undisturbed: Killed, begin: Callable[[int], Killed]) -> None:
    """Kill studies, one after the other, until they were killed so often together."""
    source, left = random.Random(kills), kills
    for number in count():
        study = begin(number)
        while left > study.kills and study.kill(source):
            pass
        study.run()
        check(study, undisturbed)
        left -= study.kills
        if not left:
            return


def check(study: Killed, undisturbed: Killed) -> None:
    """The same was trained in the same order, and again only what a kill lost."""
    assert study.table() == undisturbed.table()
    assert list(dict.fromkeys(study.log())) == undisturbed.log()
    assert len(study.log()) - len(undisturbed.log()) <= study.kills
    assert all(state.is_finished() for state in study.states())
    assert not list(study.root.glob("*/trials/*/training-*"))


def test_undisturbed_every_rung_is_trained_once(undisturbed: Killed) -> None:
    assert Counter(undisturbed.log()).most_common(1)[0][1] == 1
    assert sum(rung == "10" for _, _, rung in undisturbed.log()) > 2


@pytest.mark.parametrize("kills", [4, pytest.param(15, marks=pytest.mark.slow)])
def test_a_journal_study_is_killed(kills: int, undisturbed: Killed, tmp_path: Path) -> None:
    disturb(kills, undisturbed, lambda number: Killed(tmp_path / str(number)))


@pytest.mark.parametrize("kills", [2, pytest.param(15, marks=pytest.mark.slow)])
def test_a_study_in_a_database_is_killed(kills: int, undisturbed: Killed, tmp_path: Path, server: Server) -> None:
    disturb(kills, undisturbed, lambda number: Killed(tmp_path / str(number), server.empty_database()))
