"""Drivers, workers and the database killed at thirty random moments: the table is that of an undisturbed run."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Self

import psutil
import pytest
from optuna.trial import TrialState

from archlab.study import load_study
from tests.study.read_back import database, journal
from tests.study.spaces import MINI, write_space
from tests.study.store.server import Server

KILLS = 30
TRIALS = 60
SPACE = (
    MINI.replace("strategy: tpe, trials: 6", f"strategy: random, trials: {TRIALS}")
    .replace(", none]", "]")
    .replace("low: 4, high: 8, step: 2", "low: 1, high: 16, step: 1")
    .replace("  conv:", "  kv_sharing: [none, self, all]\n  ff_activation: [gelu, swish, relu]\n  conv:")
)  # so large that two random architectures are hardly ever the same


class Study:
    """Some drivers of one study, started again whenever they are dead."""

    def __init__(self, folder: Path, drivers: int = 1, url: str | None = None) -> None:
        folder.mkdir()
        self.root = folder / "studies"
        self.url = url
        space = write_space(folder, SPACE)
        self._command = [sys.executable, "-m", "tests.study.faults.script", str(space), str(self.root)]
        self._command += [url] if url else []
        self._output = (folder / "output.txt").open("ab")
        self.drivers: list[subprocess.Popen[bytes] | None] = [None] * drivers
        self.killed_workers: set[str] = set()

    def keep_alive(self) -> None:
        for index, driver in enumerate(self.drivers):
            if driver is None or driver.poll() is not None:
                self.drivers[index] = subprocess.Popen(self._command, stdout=self._output, stderr=self._output)

    def log(self) -> list[list[str]]:
        path = self.root / "mini" / "log.txt"
        return [line.split() for line in path.read_text().splitlines()] if path.is_file() else []

    def is_over(self) -> bool:
        """Whether every driver has found that nothing is left to do: then nothing more is logged."""
        return all(driver is not None and driver.poll() == 0 for driver in self.drivers)

    def kill_driver(self, source: random.Random) -> None:
        driver = source.choice(self.drivers)
        assert driver is not None
        driver.kill()
        driver.wait()

    def kill_worker(self, source: random.Random) -> None:
        """A trial's first training; the second time it would be the trial's fault."""
        lines = self.log()
        ended = {number for word, number, _ in lines if word == "ends"}
        at_work = {number: int(pid) for word, number, pid in lines if word == "begins" and number not in ended}
        for number in sorted(at_work.keys() - self.killed_workers):
            if psutil.pid_exists(at_work[number]):
                self.killed_workers.add(number)
                os.kill(at_work[number], signal.SIGKILL)
                return
        self.kill_driver(source)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._output.close()
        for driver in self.drivers:
            if driver is not None:
                driver.kill()
                driver.wait()

    def finish(self) -> None:
        self.keep_alive()
        for driver in self.drivers:
            assert driver is not None
            assert driver.wait(300) == 0, self.output()

    def output(self) -> str:
        return Path(self._output.name).read_text()

    def table(self) -> list[tuple[object, ...]]:
        trials = load_study("mini", self.root).trials
        return [tuple(row) for row in trials[["trial", "status", "architecture", "macs_g", "quality"]].to_numpy()]

    def states(self) -> list[TrialState]:
        study = database("mini", self.url) if self.url else journal(self.root / "mini")
        return [trial.state for trial in study.trials]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[object, ...]]:
    with Study(tmp_path_factory.mktemp("faults") / "undisturbed") as study:
        study.finish()
        return study.table()


def disturb(study: Study, kinds: list[Callable[[random.Random], None]]) -> None:
    """Kill something whenever the trials have got on a little, and a moment later; until a fast study is over."""
    source = random.Random(0)
    for kill in range(KILLS):
        study.keep_alive()
        wanted = len(study.log()) + source.randint(1, 3)
        deadline = time.monotonic() + 120
        while len(study.log()) < wanted:
            if study.is_over():
                assert kill > KILLS / 2
                study.finish()
                return
            assert time.monotonic() < deadline, study.output()
            time.sleep(0.01)
        time.sleep(source.uniform(0, 0.3))
        source.choice(kinds)(source)
    study.finish()


def check(study: Study, undisturbed: list[tuple[object, ...]]) -> None:
    assert Counter(number for word, number, _ in study.log() if word == "ends").most_common(1)[0][1] == 1
    assert all(state.is_finished() for state in study.states())
    assert study.table() == undisturbed


@pytest.mark.slow
def test_killed_drivers_and_workers_of_a_journal_study(tmp_path: Path, undisturbed: list[tuple[object, ...]]) -> None:
    with Study(tmp_path / "journal") as study:
        disturb(study, [study.kill_driver, study.kill_worker, study.kill_worker])
        check(study, undisturbed)


@pytest.mark.slow
def test_killed_drivers_workers_and_database(
    tmp_path: Path, undisturbed: list[tuple[object, ...]], server: Server
) -> None:
    def kill_database(source: random.Random) -> None:
        server.kill()
        time.sleep(source.uniform(0, 1))
        server.start()

    with Study(tmp_path / "postgres", drivers=2, url=server.empty_database()) as study:
        disturb(study, [study.kill_driver, study.kill_worker, kill_database])
        check(study, undisturbed)
