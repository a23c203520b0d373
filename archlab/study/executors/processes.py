"""Each trial in a process of its own on this computer."""

import multiprocessing
import signal
import time
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from archlab.errors import OutOfMemory, RunFailed
from archlab.evaluation import Evaluation
from archlab.study.evaluate import Job, evaluate
from archlab.study.executors.device_locks import DeviceLocks, Worker
from archlab.study.executors.executor import Evaluate, Listener
from archlab.study.executors.worker import (
    LOG,
    LockRelease,
    LockRequest,
    RungQuestion,
    StageReport,
    Surroundings,
    run_trial,
)

_MOST_KILLS = 3  # of one trial, from outside
_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_END_SECONDS = 2.0
_POLL_SECONDS = 0.5  # between looks at time and memory
_LOST = 255  # the exit code that multiprocessing gives where the server of processes was killed
PRELOADED = ("torch", "archlab.proxy.evaluate", "archlab.study.executors.worker")


class Processes:
    """An executor of worker processes, forked from a server that has torch imported and nothing run.

    A trial whose process is killed from outside is taken up again from its checkpoint; one that is out of memory, once,
    with half the micro-batch. Several workers on a CPU have one thread each; on GPUs each has one. Latency on this
    computer is measured while the other workers stand still, on a phone by one worker at a time. A worker whose driver
    is gone ends itself.

    Attributes:
        slots: processes at once.
    """

    def __init__(self, slots: int = 1, evaluate: Evaluate = evaluate, preloaded: Sequence[str] = PRELOADED) -> None:
        """``preloaded``: modules that the server of processes imports, so that no worker has to."""
        self.slots = slots
        self._evaluate = evaluate
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(preloaded))
        self._threads = ThreadPoolExecutor(slots, thread_name_prefix="trial")
        self._free: SimpleQueue[int] = SimpleQueue()
        for slot in range(slots):
            self._free.put(slot)
        self._locks = DeviceLocks()
        self._workers: set[Worker] = set()
        self._is_closed = False

    def submit(self, job: Job, listener: Listener) -> Future[Evaluation]:
        """See `Executor`."""
        return self._threads.submit(self._run, replace(job, folder=job.folder.absolute()), listener)

    def close(self) -> None:
        """See `Executor`."""
        self._is_closed = True
        for worker in tuple(self._workers):
            worker.signal(signal.SIGKILL)
        self._threads.shutdown(cancel_futures=True)

    def _run(self, job: Job, listener: Listener) -> Evaluation:
        slot, kills = self._free.get(), 0
        try:
            while True:
                try:
                    return self._attempt(job, listener, slot)
                except OutOfMemory as error:
                    smaller = job.halved()
                    if smaller is None:
                        return Evaluation(status="failed", reason=str(error))
                    job = smaller
                except _Killed as error:
                    kills += 1
                    if kills == _MOST_KILLS:
                        return Evaluation(status="failed", reason=f"{error}, {kills} times")
                except RunFailed as error:
                    return Evaluation(status="failed", reason=str(error))
        finally:
            self._free.put(slot)

    def _attempt(self, job: Job, listener: Listener, slot: int) -> Evaluation:
        """One process from its start to its end.

        Raises:
            OutOfMemory, RunFailed: it ended without a result.
        """
        ours, theirs = self._context.Pipe()
        surroundings = Surroundings(slot=slot, is_alone=self.slots == 1)
        process = self._context.Process(target=run_trial, args=(theirs, self._evaluate, job, surroundings), daemon=True)
        worker, kills = Worker(process), _kills_for_memory()
        self._workers.add(worker)
        try:
            self._locks.enter(worker)
            theirs.close()
            evaluation = self._follow(worker, ours, job, listener)
            process.join(_END_SECONDS)  # one that ends by itself gives back the semaphores that libraries made
            return evaluation
        except (EOFError, ConnectionError):
            self._locks.leave(worker)
            if self._is_closed:
                raise CancelledError from None
            raise _end(process.exitcode, was_for_memory=_kills_for_memory() > kills) from None
        finally:
            self._workers.discard(worker)
            worker.signal(signal.SIGKILL)
            self._locks.leave(worker)
            ours.close()

    def _follow(self, worker: Worker, connection: Connection, job: Job, listener: Listener) -> Evaluation:
        """Pass the worker's messages on to the listener and send the answers back, until the trial is done."""
        limits = _Limits(worker, job)
        while not self._is_closed:
            limits.check()
            if not connection.poll(_POLL_SECONDS):
                continue
            match _received(connection):
                case StageReport(stage, done):
                    listener.progress(job, stage, done)
                case RungQuestion(rung, qualities, known):
                    connection.send(listener.goes_on(job, rung, qualities, known))
                case LockRequest(device):
                    self._locks.acquire(worker, device)
                    connection.send(None)
                case LockRelease():
                    self._locks.release(worker)
                    connection.send(None)
                case Evaluation() as evaluation:
                    return evaluation
        raise CancelledError


class _Killed(RunFailed):
    """Something outside archlab killed the process; the trial may be started again."""


class _Limits:
    """The time and the memory that a trial may take."""

    def __init__(self, worker: Worker, job: Job) -> None:
        self._worker, self._trial, self._started = worker, job.settings.trial, time.monotonic()

    def check(self) -> None:
        """Compare the time and memory taken with the limits.

        Raises:
            RunFailed, OutOfMemory: it takes more.
        """
        minutes, memory_gb = self._trial.minutes, self._trial.memory_gb
        if minutes is not None and time.monotonic() - self._started - self._worker.idle_seconds > 60 * minutes:
            raise RunFailed(f"over the time limit of {minutes:g} min")
        if memory_gb is not None and self._worker.memory_gb() > memory_gb:
            raise OutOfMemory(f"over the memory limit of {memory_gb:g} GB")


def _received(connection: Connection) -> Any:
    """The next message.

    Raises:
        EOFError: the worker has ended, be it in the middle of one.
    """
    try:
        return connection.recv()
    except OSError as error:
        raise EOFError from error


def _end(exit_code: int | None, *, was_for_memory: bool) -> RunFailed:
    """Why a process ended without a result."""
    if exit_code is None or exit_code in (0, _LOST):
        return _Killed("its process was lost")
    if exit_code > 0:
        return RunFailed(f"its process ended with exit code {exit_code} before it had a result; see {LOG}")
    number = signal.Signals(-exit_code)
    if number == signal.SIGKILL and was_for_memory:
        return OutOfMemory("out of memory: the operating system ended its process")
    reason = f"killed by signal {number.value} ({number.name})"
    return _Killed(reason) if number in _FROM_OUTSIDE else RunFailed(f"{reason}; see {LOG}")


def _kills_for_memory() -> int:
    """How many processes the operating system has ended for want of memory since it was started, where it tells."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
