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

SPACE = MINI.replace("[3]", "[5, 10, 20]").replace("strategy: tpe, trials: 6", "strategy: surrogate, trials: 6")
TRIALS = 8
LOG = list[tuple[str, ...]]


class Killed:
    """A study in a folder of its own whose driver is started again after every kill."""

    def __init__(self, folder: Path, url: str | None = None, *, workers: int = 1, trials: int = TRIALS) -> None:
        folder.mkdir()
        space = SPACE.replace("trials: 6", f"trials: {trials}")
        self.space, self.root, self.url = write_space(folder, space), folder / "studies", url
        self.workers, self.trials = workers, trials
        self.processes = multiprocessing.get_context("forkserver")
        self.processes.set_forkserver_preload([*PRELOADED, "tests.study.faults.paused"])  # this process has one server
        self.kills = 0

    def run(self) -> None:
        """Until it is done."""
        driver = self.start()
        driver.join()
        assert driver.exitcode == 0

    def kill(self, source: random.Random) -> bool:
        """A new driver once it has got on a little, or while it starts, and a moment later; whether it was in time."""
        driver, wanted = self.start(), len(self.log()) + source.randint(0, 5)
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

    def start(self) -> Any:
        """A driver."""
        driver = self.processes.Process(target=drive, args=(self.space, self.root, self.url, self.workers))
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


@pytest.mark.parametrize(("kills", "trials"), [(2, 4), pytest.param(15, 2 * TRIALS, marks=pytest.mark.slow)])
def test_two_drivers_of_two_workers_each_are_killed(kills: int, trials: int, tmp_path: Path, server: Server) -> None:
    """In what order they train depends on who is quicker; that each rung of a trial is trained once does not."""
    study, source = Killed(tmp_path / "shared", server.empty_database(), workers=2, trials=trials), random.Random(kills)
    drivers, alive = [study.start(), study.start()], 0
    for _ in range(kills):
        wanted = len(study.log()) + source.randint(1, 3)
        while len(study.log()) < wanted and any(driver.exitcode is None for driver in drivers):
            time.sleep(0.005)
        index = source.randrange(2)
        alive += drivers[index].exitcode is None
        drivers[index].kill()
        drivers[index].join()
        drivers[index] = study.start()
    for driver in drivers:
        driver.join()
        assert driver.exitcode == 0
    assert alive
    check_shared(study, alive)


def check_shared(study: Killed, kills: int) -> None:
    """What was trained again was under way when its driver was killed; every trial ended once, at its last rung."""
    trained = Counter(study.log())
    assert trained.total() - len(trained) <= study.workers * kills
    rungs: dict[int, list[int]] = {}
    for _, number, rung in trained:
        rungs.setdefault(int(number), []).append(int(rung))
    assert all(reached == [5, 10, 20][: len(reached)] for reached in rungs.values())
    table = load_study("mini", study.root).trials.set_index("trial")
    assert table.index.is_unique
    assert table["architecture"].is_unique
    assert len(table) == study.trials + 1  # the baseline uses up none
    assert {number: max(reached) for number, reached in rungs.items()} == table["stopped_at"].fillna(20).to_dict()
    assert all(state.is_finished() for state in study.states())
    assert not list(study.root.glob("*/trials/*/training-*"))
