"""Device locks: a phone is used by one worker at a time; this computer too, and all other workers stand still."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from threading import Condition

import psutil

from archlab.latency.lock import THIS_COMPUTER

_END_SECONDS = 5.0


@dataclass(eq=False)
class Worker:
    """A process that works on a trial.

    Attributes:
        process: the leader of its process group.
        idle_before: seconds that it waited for a device, or stood still and does no longer.
        still_since: when it was stopped, by the monotonic clock; None: it runs.
    """

    process: BaseProcess
    idle_before: float = 0.0
    still_since: float | None = None

    @property
    def idle_seconds(self) -> float:
        """How long it waited for a device or stood still, until now."""
        return self.idle_before + (0.0 if self.still_since is None else time.monotonic() - self.still_since)

    def stop(self) -> None:
        """Stop the process and what it started; it keeps its place and its memory."""
        self.still_since = time.monotonic()
        self.signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let a stopped process run again."""
        self.signal(signal.SIGCONT)
        self.idle_before, self.still_since = self.idle_seconds, None

    def signal(self, number: int) -> None:
        """Send a signal to the whole group, if it is still there."""
        pid = self.process.pid
        if pid is None:
            return
        for send in (os.killpg, os.kill):  # before it leads its group it is alone
            with suppress(ProcessLookupError, PermissionError):  # the latter is macOS of a group that has ended
                send(pid, number)
                return

    def memory_gb(self) -> float:
        """Resident memory of the process and what it started."""
        try:
            leader = psutil.Process(self.process.pid)
            return sum(process.memory_info().rss for process in (leader, *leader.children(recursive=True))) / 1e9
        except psutil.NoSuchProcess:
            return 0.0


class DeviceLocks:
    """The device locks of one executor's workers.

    While a worker holds this computer, all others are stopped. A worker that holds a phone is not stopped; it waits
    for this computer when it gives the phone back.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._holders: dict[str, Worker] = {}
        self._workers: set[Worker] = set()

    def enter(self, worker: Worker) -> None:
        """Start the worker's process, once nobody holds this computer."""
        with self._changed:
            self._changed.wait_for(self._is_free)
            worker.process.start()
            self._workers.add(worker)

    def leave(self, worker: Worker) -> None:
        """The worker's process has ended, or is about to; it gives back what it holds."""
        with self._changed:
            if worker in self._workers:
                worker.process.join(_END_SECONDS)  # not at the same time as another is started
                self._workers.remove(worker)
                self._give_back(worker)

    def acquire(self, worker: Worker, device: str) -> None:
        """Return when the worker holds ``device``, and nobody else this computer."""
        with self._waiting(worker):
            self._changed.wait_for(lambda: self._is_free() and device not in self._holders)
            self._holders[device] = worker
            if device == THIS_COMPUTER:
                for other in self._others():
                    other.stop()

    def release(self, worker: Worker) -> None:
        """Give back what the worker holds; return when nobody holds this computer."""
        with self._waiting(worker):
            self._give_back(worker)
            self._changed.wait_for(self._is_free)

    @contextmanager
    def _waiting(self, worker: Worker) -> Iterator[None]:
        """Hold the lock of this table; the time spent here counts as the worker's idle time."""
        since, idle_seconds = time.monotonic(), worker.idle_seconds
        with self._changed:
            yield
        worker.idle_before = idle_seconds + time.monotonic() - since

    def _is_free(self) -> bool:
        return THIS_COMPUTER not in self._holders

    def _give_back(self, worker: Worker) -> None:
        for device in [device for device, holder in self._holders.items() if holder is worker]:
            if device == THIS_COMPUTER:
                for other in self._others():
                    other.go_on()
            del self._holders[device]
        self._changed.notify_all()

    def _others(self) -> set[Worker]:
        """The workers to stop while one measures on this computer: all that hold no device."""
        return self._workers - set(self._holders.values())
