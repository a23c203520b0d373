"""One trial in a process of its own: what runs there, and the messages between it and the executor."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple

from archlab.evaluation import Evaluation
from archlab.remarks import drop_remarks_of_imports
from archlab.study.callbacks import Callbacks
from archlab.study.evaluate import Job, in_one_line
from archlab.study.executors.executor import Evaluate
from archlab.surgery.forkserver import close_server_handle

LOG = "worker.log"  # what converters and kernels print; there only if they did


class StageReport(NamedTuple):
    """A stage of the trial is done to this share, 0 to 1."""

    stage: str
    done: float


class RungQuestion(NamedTuple):
    """The worker asks whether to go on training; the answer is a bool."""

    rung: int
    qualities: tuple[float, ...]
    known: Evaluation | None


class LockRequest(NamedTuple):
    """The worker asks for a device; the answer, None, comes when it alone has it."""

    device: str


class LockRelease(NamedTuple):
    """The worker gives its device back; the answer, None, comes when nobody measures on this computer."""


Message = StageReport | RungQuestion | LockRequest | LockRelease | Evaluation


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a worker takes over from the driver, and which share of the computer is its own.

    Attributes:
        slot: from 0; workers at the same time have different ones.
        is_alone: whether there is one slot only.
    """

    slot: int
    is_alone: bool
    folder: str = field(default_factory=os.getcwd)
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))


def run_trial(connection: Connection, evaluate: Evaluate, job: Job, surroundings: Surroundings) -> None:
    """Evaluate the job and send the evaluation to the driver. The process ends itself when the driver has ended."""
    os.setpgid(0, 0)  # the executor stops and ends the whole group, converters included
    _settle_in(surroundings)
    drop_remarks_of_imports()
    log = job.folder / LOG
    _print_to(str(log))
    close_server_handle()
    driver = _Driver(connection)
    try:
        outcome = evaluate(job, Callbacks(progress=driver.progress, goes_on=driver.goes_on, lock=driver.lock))
    except Exception as error:
        outcome = Evaluation(status="failed", reason=in_one_line(error))
    sys.stdout.flush()
    sys.stderr.flush()
    if not log.stat().st_size:
        log.unlink()
    driver.send(outcome)


class _Driver:
    """The driver as the worker sees it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._answers: SimpleQueue[Any] = SimpleQueue()
        Thread(target=self._listen, daemon=True).start()

    def progress(self, stage: str, done: float) -> None:
        """See `Callbacks`."""
        self.send(StageReport(stage, done))

    def goes_on(self, rung: int, qualities: Sequence[float], known: Evaluation | None = None, /) -> bool:
        """See `Callbacks`."""
        return bool(self._ask(RungQuestion(rung, tuple(qualities), known)))

    @contextmanager
    def lock(self, device: str) -> Iterator[None]:
        """See `Callbacks`."""
        self._ask(LockRequest(device))
        try:
            yield
        finally:
            self._ask(LockRelease())

    def send(self, message: Message) -> None:
        """Send without waiting for an answer."""
        self.connection.send(message)

    def _ask(self, message: Message) -> Any:
        self.send(message)
        return self._answers.get()

    def _listen(self) -> None:
        try:
            while True:
                self._answers.put(self.connection.recv())
        except (EOFError, OSError):
            os.killpg(0, signal.SIGKILL)


def _settle_in(surroundings: Surroundings) -> None:
    os.environ.clear()
    os.environ.update(surroundings.environment)
    os.chdir(surroundings.folder)
    import torch

    if gpus := torch.cuda.device_count():
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(gpus)))).split(",")
        os.environ["CUDA_VISIBLE_DEVICES"] = visible[surroundings.slot % gpus]
    if not surroundings.is_alone:
        os.environ["OMP_NUM_THREADS"] = "1"
        torch.set_num_threads(1)


def _print_to(path: str) -> None:
    """Send what this process and its children print to a file instead of the driver's display."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for stream in (1, 2):
        os.dup2(handle, stream)
    os.close(handle)
