"""Trials in this process, one after the other."""

from collections.abc import Sequence
from concurrent.futures import Future

from archlab.evaluation import Evaluation
from archlab.study.callbacks import Callbacks
from archlab.study.evaluate import Job, evaluate
from archlab.study.executors.executor import Evaluate, Listener


class Inline:
    """An executor for tests, debugging and notebooks: `submit` returns when the job is done."""

    slots = 1

    def __init__(self, evaluate: Evaluate = evaluate) -> None:
        self._evaluate = evaluate

    def submit(self, job: Job, listener: Listener) -> Future[Evaluation]:
        """See `Executor`; an interrupt or an error of `evaluate` itself is raised here."""

        def progress(stage: str, done: float) -> None:
            listener.progress(job, stage, done)

        def goes_on(rung: int, qualities: Sequence[float], known: Evaluation | None = None, /) -> bool:
            return listener.goes_on(job, rung, qualities, known)

        future: Future[Evaluation] = Future()
        future.set_result(self._evaluate(job, Callbacks(progress=progress, goes_on=goes_on)))
        return future

    def close(self) -> None:
        """Nothing is under way."""
