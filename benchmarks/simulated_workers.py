"""An executor whose workers take simulated time: a step of training is its unit, everything else takes none."""

import heapq
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import RLock, Timer

from archlab.evaluation import Evaluation
from archlab.study.callbacks import Callbacks
from archlab.study.evaluate import Job
from archlab.study.executors import Evaluate, Listener

_IDLE_SECONDS = 5.0  # longer than a driver thinks

Told = Callable[[Job, Evaluation, int], None]


class SimulatedWorkers:
    """Whoever submits and fills the last slot, sees the training that ends first end.

    A driver that leaves slots empty sees it after some seconds.

    Attributes:
        slots: trainings at once.
    """

    def __init__(self, slots: int, evaluate: Evaluate, told: Told) -> None:
        """``told`` hears of a job's end, and of the steps that all workers have trained by then; what it raises, the
        driver raises."""
        self.slots, self._evaluate, self._told = slots, evaluate, told
        self._now, self._submitted, self._steps_of_ended = 0, 0, 0
        self._under_way: list[tuple[int, int, int, Job, Evaluation, Future[Evaluation]]] = []
        self._lock, self._timer = RLock(), Timer(0.0, self._end_first)

    def submit(self, job: Job, listener: Listener) -> Future[Evaluation]:
        """See `archlab.study.executors.Executor`; the baseline, which has no number, takes no time."""

        def goes_on(rung: int, qualities: Sequence[float], known: Evaluation | None = None, /) -> bool:
            return listener.goes_on(job, rung, qualities, known)

        future: Future[Evaluation] = Future()
        evaluation = self._evaluate(job, Callbacks(goes_on=goes_on))
        if job.number is None:
            future.set_result(evaluation)
            return future
        assert evaluation.proxy is not None
        since = job.paused.proxy.steps if job.paused and job.paused.proxy else 0
        with self._lock:
            self._submitted += 1
            end = self._now + evaluation.proxy.steps - since
            heapq.heappush(self._under_way, (end, self._submitted, self._now, job, evaluation, future))
            self._timer.cancel()
            if len(self._under_way) == self.slots:
                self._end_first()
            else:
                self._wait()
        return future

    def close(self) -> None:
        """See `archlab.study.executors.Executor`."""
        self._timer.cancel()

    def _wait(self) -> None:
        self._timer = Timer(_IDLE_SECONDS, self._end_first)
        self._timer.daemon = True
        self._timer.start()

    def _end_first(self) -> None:
        with self._lock:
            if not self._under_way:
                return
            self._now, _, began, job, evaluation, future = heapq.heappop(self._under_way)
            self._steps_of_ended += self._now - began
            steps = self._steps_of_ended + sum(self._now - began for _, _, began, *_ in self._under_way)
            self._wait()
        try:
            self._told(job, evaluation, steps)
        except Exception as error:  # the driver's to raise
            future.set_exception(error)
        else:
            future.set_result(evaluation)
