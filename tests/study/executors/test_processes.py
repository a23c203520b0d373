"""Trials in processes of their own: what they say, how they end, and that nothing of them stays."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psutil
import pytest

from archlab.evaluation import Evaluation
from archlab.latency.lock import THIS_COMPUTER
from archlab.study.definition import load_definition
from archlab.study.evaluate import Job
from archlab.study.executors import Evaluate, Inline, Processes
from archlab.study.executors.device_locks import DeviceLocks, Worker
from tests.study.executors import made_up
from tests.study.executors.made_up import said
from tests.study.spaces import MINI, write_space

JobFor = Callable[..., Job]


class Log:
    """A listener that writes down what it hears, and stops at 20 steps."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def progress(self, job: Job, stage: str, done: float) -> None:
        self.heard.append((job.number, stage, done))

    def goes_on(self, job: Job, rung: int, qualities: Sequence[float], known: Evaluation | None = None) -> bool:
        self.heard.append((job.number, rung, *qualities, known and known.macs_g))
        return rung < 20


@pytest.fixture
def job(tmp_path: Path) -> JobFor:
    definition = load_definition(
        write_space(tmp_path, MINI.replace("measure: []", "measure: [{device: torch, name: here}]"))
    )

    def make(name: str = "trial", **trial: float) -> Job:
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        limits = definition.settings.trial.model_copy(update=trial)
        settings = definition.settings.model_copy(update={"trial": limits})
        return Job(spec=definition.space.baseline, settings=settings, limits={}, folder=tmp_path / name, number=7)

    return make


def end(evaluate: Evaluate, job: Job) -> Evaluation:
    with closing(Processes(1, evaluate)) as executor:
        return executor.submit(job, Log()).result(timeout=60)


@pytest.mark.parametrize("make", [Inline, lambda evaluate: Processes(2, evaluate)], ids=["inline", "processes"])
def test_it_is_heard_and_asked(make: Callable[[Evaluate], Inline | Processes], job: JobFor) -> None:
    log = Log()
    with closing(make(made_up.curious)) as executor:
        found = executor.submit(job(), log).result(timeout=60)
    assert log.heard == [(7, "train", 1 / 3), (7, 10, 0.1, 2.0), (7, "train", 2 / 3), (7, 20, 0.05, 2.0)]
    assert found.status == "complete"
    facts = said(found)
    assert facts["rung"] == 20
    assert facts["cwd"] == str(Path.cwd())
    if isinstance(executor, Processes):
        assert facts["pid"] != os.getpid()
        assert facts["threads"] == 1
        assert (job().folder / "worker.log").read_text() == "something\n"


def test_every_trial_has_a_process_of_its_own_and_slots_run_at_once(job: JobFor) -> None:
    with closing(Processes(2, made_up.curious)) as executor:
        jobs = [job(str(number)) for number in range(4)]
        found = [future.result(timeout=60) for future in [executor.submit(each, Log()) for each in jobs]]
    assert len({said(evaluation)["pid"] for evaluation in found}) == 4


@pytest.mark.parametrize(
    ("evaluate", "status", "reason"),
    [
        (made_up.interrupted, "failed", "killed by signal 9 (SIGKILL), 3 times"),
        (made_up.mortal, "complete", None),
        (made_up.doomed, "failed", "killed by signal 15 (SIGTERM), 3 times"),
        (made_up.crashing, "failed", "killed by signal 11 (SIGSEGV); see worker.log"),
        (made_up.leaving, "failed", "its process ended with exit code 3 before it had a result; see worker.log"),
        (made_up.broken, "failed", "ValueError: not what was agreed"),
    ],
)
def test_a_process_that_ends_early(evaluate: Evaluate, status: str, reason: str | None, job: JobFor) -> None:
    found = end(evaluate, job())
    assert (found.status, found.reason) == (status, reason)


def test_over_the_time_limit_it_is_ended_with_its_children(job: JobFor) -> None:
    found = end(made_up.slow, job(minutes=0.02))
    assert found.reason == "over the time limit of 0.02 min"
    assert all_end(job().folder / "pids")


def test_over_the_memory_limit_it_is_tried_once_more_with_half_the_images(job: JobFor) -> None:
    """16 images of 40 MB, then 8."""
    found = end(made_up.greedy, job("enough", memory_gb=0.9))
    assert said(found) == {"images": 8, "held": 320_000_000}
    found = end(made_up.greedy, job("too little", memory_gb=0.3))
    assert (found.status, found.reason) == ("failed", "over the memory limit of 0.3 GB")


def test_while_one_measures_on_this_computer_the_others_stand_still(job: JobFor) -> None:
    with closing(Processes(2, made_up.measuring)) as executor:
        trains, measures = (executor.submit(job(name), Log()) for name in ("trains", "measures"))
        steps, (start, stop) = (said(f.result(timeout=60))["times"] for f in (trains, measures))
    assert steps[0] < start < stop < steps[-1]
    assert not [moment for moment in steps if start + 0.1 < moment < stop - 0.1]


def test_standing_still_counts_as_idle_as_long_as_it_lasts() -> None:
    locks, process = DeviceLocks(), cast(Any, SimpleNamespace(pid=None, start=lambda: None))
    trains, measures = Worker(process), Worker(process)
    for worker in (trains, measures):
        locks.enter(worker)
    locks.acquire(measures, THIS_COMPUTER)
    time.sleep(0.05)
    assert trains.idle_seconds >= 0.05
    locks.release(measures)
    idle_seconds = trains.idle_seconds
    time.sleep(0.05)
    assert trains.idle_seconds == idle_seconds >= 0.05 > measures.idle_seconds


def test_on_a_phone_one_measures_at_a_time_and_nobody_stands_still(job: JobFor) -> None:
    def on_phone(name: str) -> Job:
        own = job(name)
        (where,) = own.settings.measure
        measure = (where.model_copy(update={"device": "android:R58"}),)
        return replace(own, settings=own.settings.model_copy(update={"measure": measure}))

    folders = ("a/measures", "b/measures", "trains")
    with closing(Processes(3, made_up.measuring)) as executor:
        futures = [executor.submit(on_phone(name), Log()) for name in folders]
        first, second, steps = sorted(
            (said(f.result(timeout=60))["times"] for f in futures),
            key=lambda times: (len(times), times),
        )
    assert first[1] <= second[0]
    assert max(after - before for before, after in pairwise(steps)) < 0.5


def test_closing_ends_what_is_under_way(job: JobFor) -> None:
    with closing(Processes(2, made_up.slow)) as executor:
        future = executor.submit(job(), Log())
        wait_for(job().folder / "pids")
    with pytest.raises(CancelledError):
        future.result(timeout=10)
    assert all_end(job().folder / "pids")


DRIVER = """
from pathlib import Path
import sys
from archlab.latency.lock import THIS_COMPUTER
from archlab.study.definition import load_definition
from archlab.study.evaluate import Job
from archlab.study.executors import Processes
from tests.study.executors import made_up
from tests.study.executors.test_processes import Log

if __name__ == "__main__":
    definition = load_definition(sys.argv[1])
    executor = Processes(2, made_up.slow_or_measuring, preloaded=("archlab.study.executors.worker",))
    for name in ("trains", "measures"):
        folder = Path(sys.argv[2]) / name
        folder.mkdir()
        job = Job(spec=definition.space.baseline, settings=definition.settings, limits={}, folder=folder)
        executor.submit(job, Log())
"""


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    definition = write_space(tmp_path, MINI.replace("measure: []", "measure: [{device: torch, name: here}]"))
    (tmp_path / "driver.py").write_text(DRIVER)
    with subprocess.Popen([sys.executable, tmp_path / "driver.py", definition, tmp_path], env=environment()) as process:
        yield process
        process.kill()


def test_workers_end_with_their_driver_also_those_that_stand_still(
    driver: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    pids = tmp_path / "trains" / "pids"
    for path in (pids, tmp_path / "measures" / "pids"):
        wait_for(path)
    wait_until(lambda: psutil.Process(int(pids.read_text().split()[0])).status() == psutil.STATUS_STOPPED)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    assert all_end(pids)
    assert all_end(tmp_path / "measures" / "pids")


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])}


def all_end(path: Path) -> bool:
    """Whether the processes with these numbers are gone, or soon are."""
    pids = list(map(int, path.read_text().split()))
    wait_until(lambda: not any(is_alive(pid) for pid in pids))
    return True


def is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def wait_for(path: Path) -> None:
    wait_until(lambda: path.is_file() and bool(path.read_text()))


def wait_until(is_so: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_workers_have_what_training_needs_from_the_start(job: JobFor) -> None:
    assert said(end(made_up.imported, job()))["training"] is True
