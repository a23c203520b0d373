"""What every executor has to offer."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Protocol

from archlab.evaluation import Evaluation
from archlab.study.callbacks import Callbacks
from archlab.study.evaluate import Job

Evaluate = Callable[[Job, Callbacks], Evaluation]  # picklable


class Listener(Protocol):
    """Takes the progress of jobs and decides about them. The executor's threads call it."""

    def progress(self, job: Job, stage: str, done: float) -> None:
        """Take note that a stage of the job is done to this share, 0 to 1."""

    def goes_on(self, job: Job, rung: int, qualities: Sequence[float], known: Evaluation | None = None) -> bool:
        """Whether to go on training; see `archlab.study.callbacks.GoesOn`."""


class Executor(Protocol):
    """Runs `evaluate` on jobs.

    Attributes:
        slots: jobs under way at once.
    """

    slots: int

    def submit(self, job: Job, listener: Listener) -> Future[Evaluation]:
        """Evaluate ``job``. What goes wrong with it, its process killed included, is a failed evaluation."""

    def close(self) -> None:
        """End what is under way; a job may be evaluated again later and goes on from its checkpoint."""
