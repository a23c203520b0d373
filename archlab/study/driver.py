"""The driver: ask → evaluate → tell, several trials at once, until the study has its trials."""

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from threading import RLock
from typing import Any

import optuna

from archlab.analysis.front import is_dominated
from archlab.architecture import UNetSpec, save
from archlab.errors import RunFailed
from archlab.space import Arm, SearchSpace
from archlab.study.asking import Asked, Asking
from archlab.study.baseline import known_baseline
from archlab.study.disk import wait_for_room, write_with_room
from archlab.study.evaluate import Job, costed
from archlab.study.executors import Executor
from archlab.study.folder import StudyFolder
from archlab.study.ledger import Ledger
from archlab.study.outcome import outcome
from archlab.study.record import Evaluation, Record
from archlab.study.sampler import as_params
from archlab.study.stopping import reason_to_stop
from archlab.study.store import Store
from archlab.study.study import Study
from archlab.study.verdicts import Verdicts
from archlab.study.watcher import Watcher, tell

_MOST_FAILURES = 5  # in a row, before the study gives up
_POLL_SECONDS = 1.0  # for what other drivers do


@dataclass
class _UnderWay:
    """A trial between ask and tell.

    Attributes:
        twin: the earlier trial of the same architecture, which it trains with one more seed.
        is_confirmed: whether what an estimate could not tell has been measured.
        since: when it was taken, in seconds since the epoch.
    """

    trial: optuna.Trial
    spec: UNetSpec
    knobs: dict[str, Any]
    since: float
    twin: Record | None = None
    is_confirmed: bool = False


class Driver:
    """One process that asks and tells, and listens to what its executor's threads have to say."""

    def __init__(
        self,
        space: SearchSpace,
        arms: list[Arm],
        folder: StudyFolder,
        store: Store,
        executor: Executor,
        watchers: Sequence[Watcher],
    ) -> None:
        self.space, self.folder, self.store, self.executor, self.watchers = space, folder, store, executor, watchers
        self.lock = RLock()
        self.ledger = Ledger(space.settings.objectives, folder.records())
        self.limits: dict[str, float] = {}
        self.asking = Asking(space, arms, store.optuna, self.ledger, self.limits)
        self.verdicts = Verdicts(store.optuna, space.settings)
        self.under_way: dict[int, _UnderWay] = {}
        self.waiting: dict[int, _UnderWay] = {}  # repeats whose twin is under way
        self.elsewhere: dict[int, str] = {}  # architectures under way in other drivers, by trial
        self.futures: dict[Future[Evaluation], _UnderWay] = {}
        self.has_ended = False  # nothing more is asked; what is under way is finished

    def run(self) -> Study:
        """Until nothing is left to ask and nothing is under way, here and in other drivers."""
        self._tell("study_started", Study(self.folder, self.ledger.records))
        self._know_baseline()
        while True:
            while len(self.futures) < self.executor.slots and (asked := self._next()):
                self._start(asked)
            if not (self.futures or self.waiting or self.elsewhere):
                return Study(self.folder, self.ledger.records)
            self._collect()

    def progress(self, job: Job, stage: str, done: float) -> None:
        """See `Listener`."""
        self._tell("progress", job.number, stage, done)

    def judge(self, job: Job, rung: int, qualities: Sequence[float], known: Evaluation | None = None) -> bool:
        """See `Listener`. The arms of a plan, a known architecture's further seed and the baseline are not stopped."""
        with self.lock:
            mine = None if job.number is None else self.under_way.get(job.number)
            if mine is None or mine.twin is not None or self.asking.is_plan:
                return True
            return self.verdicts.judge(mine.trial, rung, qualities, known or costed(job.spec, {}))

    def _know_baseline(self) -> None:
        """One driver of a study measures it."""
        submit = None if self.asking.is_plan else lambda job: self.executor.submit(job, self).result()
        with self.store.asking():
            baseline = known_baseline(self.space, self.folder, self.store.optuna, self._tell, submit)
            self.limits.update(baseline.limits)
            self.verdicts.noise = baseline.noise
            self.asking.enqueue_baseline()

    def _next(self) -> Asked | None:
        """What a killed driver left behind, else a new trial; None where there is nothing to start for now."""
        wait_for_room(self.folder.path, partial(self._tell, "notice"))
        self._look_around()
        for number in self.store.abandoned():
            if self.store.lease(number):
                self.elsewhere.pop(number, None)
                return self.asking.take_up(number, self._architectures(before=number))
        if self.has_ended or not self._has_room():
            return None
        with self.store.asking():
            self._look_around()
            self._refuse_hopeless()
            if not self._has_room() or self._stops():
                return None
            asked = self.asking.next(self._architectures())
            if asked is None:
                self.has_ended = True
            else:
                self.store.lease(asked.trial.number)
            return asked

    def _look_around(self) -> None:
        """Note what other drivers have under way, then what they have finished: in this order nothing is overlooked."""
        running = self.store.others()
        others = [t for t in running if t.number not in self.under_way and t.number not in self.waiting]
        self.elsewhere = {t.number: self.elsewhere.get(t.number) or self.asking.architecture(t) for t in others}
        for record in self.store.fetch(self.ledger.trials):
            self.ledger.add(record)
            self._tell("trial_learned", record)

    def _architectures(self, before: float = math.inf) -> set[str]:
        """What earlier trials than ``before`` are evaluating, here and elsewhere."""
        own = {mine.spec.id for number, mine in self.under_way.items() if number < before}
        return own | {architecture for number, architecture in self.elsewhere.items() if number < before}

    def _has_room(self) -> bool:
        """Whether another trial may be asked for; a plan has its end in itself."""
        new = sum(mine.twin is None for mine in self.under_way.values())
        open_trials = self.ledger.counted + new + len(self.elsewhere)
        return self.asking.is_plan or open_trials < self.space.settings.search.trials

    def _stops(self) -> bool:
        """Whether a stop rule ends the study."""
        stop, now = self.space.settings.search.stop, time.time()
        hours = self.ledger.hours((mine.since for mine in self.under_way.values()), now) if stop.hours else 0.0
        reason = reason_to_stop(stop, self.ledger.points, hours)
        if reason is not None:
            self.has_ended = True
            self._tell("notice", reason)
        return self.has_ended

    def _refuse_hopeless(self) -> None:
        failures = self.ledger.last_failures()
        if len(failures) >= _MOST_FAILURES:
            reason = failures[0].evaluation.reason
            raise RunFailed(f"the last {_MOST_FAILURES} trials failed; the last one: {reason}")

    def _start(self, asked: Asked) -> None:
        """Submit it; or answer it at once, by what is written, known, forbidden or too dear."""
        trial, values = asked
        if written := self.ledger.trials.get(trial.number):
            self._settle(trial, written)
            return
        spec = self.space.spec(values)
        mine = _UnderWay(trial, spec, as_params(values), time.time())
        self._write(partial(save, spec, self.folder.trial(trial.number) / "architecture.yaml"))
        if self.space.permits(values):
            self._proceed(mine)
        else:
            refused = Evaluation(status="gated", gate="require", reason="the combination is excluded by require")
            self._conclude(mine, refused)

    def _proceed(self, mine: _UnderWay) -> None:
        """Wait for an earlier trial of the architecture that is under way; else answer or submit it."""
        number, architecture = mine.trial.number, mine.spec.id
        if architecture in self._architectures(before=number):
            self.waiting[number] = mine
        elif twin := self.ledger.twin(architecture):
            self._repeat(mine, twin)
        elif (known := costed(mine.spec, self.limits)).gate:
            self._conclude(mine, known)
        else:
            self._submit(mine)

    def _repeat(self, mine: _UnderWay, twin: Record) -> None:
        """Answer it by its twin, or train it with one more seed."""
        if self.space.settings.search.repeats == "seed" and twin.evaluation.status == "complete" and twin.seeds:
            mine.twin = twin
            self._submit(mine)
        else:
            reason = f"same architecture as trial {twin.trial}"
            known = replace(twin.evaluation, status="repeat", gate=None, reason=reason)
            self._conclude(mine, known, repeat_of=twin.trial)

    def _submit(self, mine: _UnderWay, known: Evaluation | None = None) -> None:
        number, settings = mine.trial.number, self.space.settings
        if mine.twin is not None:
            proxy = settings.proxy.model_copy(update={"seeds": mine.twin.seeds + 1})
            settings = settings.model_copy(update={"proxy": proxy})
        job = Job(
            spec=mine.spec,
            settings=settings,
            limits=self.limits,
            folder=self.folder.trial(number),
            baseline=self.space.baseline,
            number=number,
            known=known,
        )
        self.under_way[number] = mine
        if known is None:
            self._tell("trial_started", number, mine.knobs)
        self.futures[self.executor.submit(job, self)] = mine

    def _collect(self) -> None:
        """Wait until something is finished, here or elsewhere."""
        if self.futures:
            done, _ = wait(self.futures, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
            for future in sorted(done, key=lambda future: self.futures[future].trial.number):
                self._evaluated(self.futures.pop(future), future.result())
        else:
            time.sleep(_POLL_SECONDS)
        self._look_around()
        for number in sorted(self.waiting):
            self._proceed(self.waiting.pop(number))

    def _evaluated(self, mine: _UnderWay, evaluation: Evaluation) -> None:
        """Conclude it; but what an estimate brings to the front is measured first."""
        if not mine.is_confirmed and evaluation.status == "complete" and evaluation.is_estimated:
            mine.is_confirmed = True
            known = (point for point in self.ledger.points if point is not None)
            if not is_dominated([evaluation.cells()[name] for name in self.ledger.objectives], known):
                self._submit(mine, evaluation)
                return
        if mine.twin is not None and evaluation.status == "complete":
            reason = f"same architecture as trial {mine.twin.trial}, trained with one more seed"
            self._conclude(mine, replace(evaluation, status="repeat", reason=reason), repeat_of=mine.twin.trial)
            return
        if evaluation.status == "stopped" and evaluation.proxy is not None:
            reason = self.verdicts.reason(mine.trial, evaluation.proxy["stopped_at"])
            evaluation = replace(evaluation, reason=reason)
        if evaluation.params_m is None:  # its process was killed
            cost = costed(mine.spec, {})
            evaluation = replace(evaluation, params_m=cost.params_m, macs_g=cost.macs_g)
        self._conclude(mine, evaluation)

    def _conclude(self, mine: _UnderWay, evaluation: Evaluation, repeat_of: int | None = None) -> None:
        """Write the record, then tell: in this order, so that a kill at any moment loses no result."""
        number = mine.trial.number
        record = Record(
            trial=number,
            architecture=mine.spec.id,
            knobs=self.space.baseline_values | mine.knobs,
            evaluation=evaluation,
            seconds=round(time.time() - mine.since, 3),
            finished=datetime.now().astimezone().isoformat(timespec="seconds"),
            repeat_of=repeat_of,
        )
        self._write(partial(record.save, self.folder.trial(number) / "evaluation.json"))
        self._settle(mine.trial, record)
        self.ledger.add(record)
        self.under_way.pop(number, None)
        self._tell("trial_finished", record)
        if warning := self.ledger.warning(self.limits):
            self._tell("notice", warning)

    def _settle(self, trial: optuna.Trial, record: Record) -> None:
        """Publish and tell a record that is written."""
        self.store.publish(record)
        told = outcome(record, self.ledger.objectives, self.limits)
        for name, value in told.constraints.items():
            trial.set_constraint(name, value)
        self.store.optuna.tell(trial, told.values, state=told.state, skip_if_finished=True)
        self.store.release(trial.number)

    def _write(self, write: Callable[[], None]) -> None:
        write_with_room(write, self.folder.path, partial(self._tell, "notice"))

    def _tell(self, event: str, *arguments: Any) -> None:
        with self.lock:
            tell(self.watchers, event, *arguments)
