"""The driver: ask → evaluate → tell, several trials at once, until the study has its trials."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import replace
from datetime import datetime
from functools import partial
from threading import RLock
from typing import Any

import optuna

from archlab.analysis.front import is_dominated
from archlab.architecture import save
from archlab.errors import RunFailed
from archlab.evaluation import AnyLatency, Baseline, Confirmation, Evaluation, Record
from archlab.progress import tell
from archlab.space import Arm
from archlab.study.baseline import known_baseline
from archlab.study.confirm import FrontConfirmation
from archlab.study.confirmed import confirmed_baseline, known_confirmation, share_confirmation
from archlab.study.definition import StudyDefinition
from archlab.study.disk import DISK, Disk
from archlab.study.evaluate import STAGES, Job, Stages, costed
from archlab.study.executors import Executor
from archlab.study.finished import FinishedTrials
from archlab.study.folder import StudyFolder
from archlab.study.hours import Hours
from archlab.study.multi_fidelity import MultiFidelity, ended
from archlab.study.open_trials import OpenTrials, OwnTrial
from archlab.study.optuna_result import optuna_result
from archlab.study.paused import Paused, pause, paused_of, until_of
from archlab.study.proposals import Proposal, Proposals
from archlab.study.pruning import Pruner
from archlab.study.stopping import reason_to_stop
from archlab.study.store import Store
from archlab.study.study import Study
from archlab.study.watcher import Watcher

_MOST_FAILURES = 5  # in a row, before the study gives up
_POLL_SECONDS = 1.0  # for what other drivers do


class Driver:
    """One process that asks and tells, and listens to what its executor's threads have to say."""

    def __init__(
        self,
        definition: StudyDefinition,
        arms: list[Arm],
        folder: StudyFolder,
        store: Store,
        executor: Executor,
        watchers: Sequence[Watcher],
        *,
        stages: Stages = STAGES,
        disk: Disk = DISK,
    ) -> None:
        """``stages`` are those by which this process itself measures the baseline."""
        self.definition, self.space, self.settings = definition, definition.space, definition.settings
        self.folder, self.store, self.executor, self.watchers = folder, store, executor, watchers
        self.stages, self.disk = stages, disk
        self.lock = RLock()
        self.finished = FinishedTrials(self.settings, folder.records())
        self.arms = arms
        self.free = None if arms else self.space.baseline.id  # the architecture that uses up no trial
        self.open = OpenTrials(self.free)
        self.hours = Hours(store, self.finished, self.open) if self.settings.search.stop.hours else None
        self.limits: dict[str, float] = {}
        self.proposals = Proposals(definition, arms, store, self.finished, self.limits)
        self.multi_fidelity: MultiFidelity | None = None
        if self.settings.strategy == "surrogate":
            self.multi_fidelity = MultiFidelity(definition, store, self.proposals, self.finished, self.open, stages)
        self.pruner = Pruner(store.optuna, self.settings)
        self.latency: Mapping[str, AnyLatency] = {}  # the baseline's, by device
        self.confirmation = Confirmation()  # as it was known when this driver began
        self.has_ended = False  # nothing more is asked; what is under way is finished

    def run(self) -> Study:
        """Until nothing is left to ask and nothing is under way, here and in other drivers."""
        self._tell("study_started", Study(self.folder, self.finished.records))
        baseline = self._know_baseline()
        while True:
            while len(self.open.futures) < self.executor.slots and (proposal := self._next()):
                self._start(proposal)
            if self.has_ended and not self.open.futures:
                self._end_paused()
            if not self.open:
                self._confirm_front(baseline)
                return Study(self.folder, self.finished.records)
            self._collect()

    def progress(self, job: Job, stage: str, done: float) -> None:
        """See `Listener`."""
        self._tell("progress", job.number, stage, done)

    def goes_on(self, job: Job, rung: int, qualities: Sequence[float], known: Evaluation | None = None) -> bool:
        """See `Listener`. The arms of a plan, a known architecture's further seed and the baseline are not stopped, and
        what is trained to a rung that was chosen before is not stopped below it."""
        with self.lock:
            mine = self.open.own(job.number)
            if mine is None or mine.twin is not None or mine.until is not None or self.proposals.is_plan:
                return True
            return self.pruner.goes_on(mine.trial, rung, qualities, known or costed(job.spec, {}))

    def _know_baseline(self) -> Baseline:
        """One driver of a study measures it."""
        with self.store.asking():
            baseline = known_baseline(
                self.definition,
                self.arms,
                self.folder,
                self.store.optuna,
                self._tell,
                submit=lambda job: self.executor.submit(job, self).result(),
                stages=self.stages,
            )
            self.confirmation = known_confirmation(self.folder, self.store.optuna)
            self.limits.update(confirmed_baseline(baseline, self.confirmation, self.folder.settings()).limits)
            self.pruner.noise = baseline.noise or {}
            self.latency = baseline.latency
            self.proposals.enqueue_baseline()
        return baseline

    def _confirm_front(self, baseline: Baseline) -> None:
        """One driver of a study measures what is on or near the front side by side; the others wait for it.

        What an earlier run could not tell, for noise or for want of a device, is tried again.
        """
        if not self.settings.search.confirm:
            return
        with self.store.asking():
            self._look_around()
            known = known_confirmation(self.folder, self.store.optuna)
            self._keep_confirmation(known)
            FrontConfirmation(
                definition=self.definition,
                settings=self.folder.settings(),
                baseline=baseline,
                records=self.finished.records,
                keep=self._keep_confirmation,
                report=partial(self._tell, "confirming"),
                stages=self.stages,
            ).run(known.reopened() if known == self.confirmation else known)

    def _keep_confirmation(self, confirmation: Confirmation) -> None:
        """Write it to the folder, then give it to the other drivers."""
        if confirmation != self.folder.confirmation():
            self._write(partial(self.folder.write_confirmation, confirmation))
        share_confirmation(confirmation, self.store.optuna)

    def _next(self) -> Proposal | None:
        """What a killed driver left behind, else a new trial; None where there is nothing to start for now."""
        self.disk.wait_for_room(self.folder.path, partial(self._tell, "notice"))
        self._look_around()
        for number in self.store.abandoned():
            if self.store.lease(number):
                self.open.remove(number)
                return self.proposals.take_up(number, self.open.architectures(before=number))
        if self.has_ended or not (self._has_room() or self.multi_fidelity):
            return None
        with self.store.asking():
            self._look_around()
            self._refuse_hopeless()
            if not (self._has_room() or self.multi_fidelity) or self._stops():
                return None
            if self.store.unheld():  # what comes next depends on what becomes of them
                return None
            proposal = self._proposed()
            if proposal is not None:
                self.store.lease(proposal.trial.number)
            return proposal

    def _proposed(self) -> Proposal | None:
        if self.multi_fidelity is None:
            proposal = self.proposals.next(self.open.architectures())
            self.has_ended = proposal is None
        else:
            proposal = self.multi_fidelity.next(may_begin=self._has_room(), workers=self.executor.slots)
            self.has_ended = self.multi_fidelity.has_ended
            if proposal is not None:
                self._tell("gain_expected", self.multi_fidelity.gain_an_hour)
            if self.has_ended and self.multi_fidelity.gain is not None:
                gain = self.multi_fidelity.gain
                self._tell("notice", f"the most promising candidate is expected to add {gain:.2%} to the hypervolume")
        return proposal

    def _look_around(self) -> None:
        """Note what other drivers have under way, then what they have finished: in this order nothing is overlooked."""
        others = [trial for trial in self.store.others() if self.open.own(trial.number) is None]
        known = {trial.number: self.open.architecture(trial.number) for trial in others}
        self.open.see_others({t.number: known[t.number] or self.proposals.architecture(t) for t in others})
        for record in self.store.fetch(self.finished.trials):
            self.finished.add(record)
            self._tell("trial_learned", record)

    def _has_room(self) -> bool:
        """Whether another trial may be asked for; a plan has its end in itself."""
        return self.proposals.is_plan or self.finished.counted + self.open.new < self.settings.search.trials

    def _stops(self) -> bool:
        """Whether a stop rule ends the study."""
        stop = self.settings.search.stop
        hours = 0.0 if self.hours is None else self.hours.until(time.time())
        reason = reason_to_stop(stop, self.finished.points, hours)
        if reason is not None:
            self.has_ended = True
            self._tell("notice", reason)
        return self.has_ended

    def _refuse_hopeless(self) -> None:
        failures = self.finished.last_failures()
        if len(failures) >= _MOST_FAILURES:
            reason = failures[0].evaluation.reason
            raise RunFailed(f"the last {_MOST_FAILURES} trials failed; the last one: {reason}")

    def _start(self, proposal: Proposal) -> None:
        """Submit it; or answer it at once, by what is written, known, forbidden or too expensive."""
        trial, values = proposal
        if written := self.finished.trials.get(trial.number):
            self._settle(trial, written)
            return
        if mine := self.open.own(trial.number):
            self._resume(mine)
            return
        spec = self.space.spec(values)
        mine = OwnTrial(trial, spec, values, time.time())
        self._write(partial(save, spec, self.folder.trial(trial.number) / "architecture.yaml"))
        if self.multi_fidelity:
            mine.paused, mine.until = paused_of(trial), until_of(trial, self.settings.proxy.rungs[0])
        if mine.is_paused:
            self.open.add(mine)
        elif self.space.permits(values):
            self._proceed(mine)
        else:
            refused = Evaluation(status="gated", gate="require", reason="the combination is excluded by require")
            self._conclude(mine, refused)

    def _resume(self, mine: OwnTrial) -> None:
        """Resume a paused trial, up to the rung that was chosen."""
        mine.since = time.time()
        self._tell("trial_resumed", mine.trial.number, mine.until)
        self._submit(mine)

    def _pause(self, mine: OwnTrial, evaluation: Evaluation) -> None:
        """Until it is chosen again, or the study ends."""
        now, before = time.time(), () if mine.paused is None else mine.paused.spans
        mine.paused = Paused(evaluation=evaluation, seconds=mine.seconds(now), spans=(*before, (mine.since, now)))
        mine.until = None
        self.open.add(mine)
        pause(mine.trial, mine.paused)
        assert evaluation.proxy is not None
        self._tell("trial_paused", mine.trial.number, mine.paused.rung, evaluation.proxy.quality)

    def _end_paused(self) -> None:
        """Conclude what is not resumed."""
        for _, mine in sorted(self.open.paused.items()):
            self._conclude(mine, ended(mine))

    def _proceed(self, mine: OwnTrial) -> None:
        """Wait for an earlier trial of the architecture that is under way; else answer or submit it."""
        number, architecture = mine.trial.number, mine.spec.id
        mine.is_waiting = self.open.is_open(architecture, before=number)
        if mine.is_waiting:
            self.open.add(mine)
        elif twin := self.finished.twin(architecture):
            self._repeat(mine, twin)
        elif (known := costed(mine.spec, self.limits)).gate:
            self._conclude(mine, known)
        else:
            self._submit(mine)

    def _repeat(self, mine: OwnTrial, twin: Record) -> None:
        """Answer it by its twin, or train it with one more seed."""
        if self.settings.search.repeats == "seed" and twin.evaluation.status == "complete" and twin.seeds:
            mine.twin = twin
            self._submit(mine)
        else:
            reason = f"same architecture as trial {twin.trial}"
            known = replace(twin.evaluation, status="repeat", gate=None, reason=reason)
            self._conclude(mine, known, repeat_of=twin.trial)

    def _submit(self, mine: OwnTrial, known: Evaluation | None = None) -> None:
        number, settings = mine.trial.number, self.settings
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
            until=mine.until,
            paused=None if mine.paused is None else mine.paused.evaluation,
            latency=self.latency if mine.spec.id == self.space.baseline.id else {},
            known=known,
            others={device: tuple(latest) for device, latest in self.finished.measured.items()},
        )
        self.open.add(mine)
        if known is None and mine.paused is None:
            self._tell("trial_started", number, mine.knobs)
        mine.future = self.executor.submit(job, self)

    def _collect(self) -> None:
        """Wait until something is finished, here or elsewhere."""
        if futures := self.open.futures:
            done, _ = wait(futures, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
            for future, mine in futures.items():
                if future in done:
                    mine.future = None
                    self._evaluated(mine, future.result())
        else:
            time.sleep(_POLL_SECONDS)
        self._look_around()
        for mine in self.open.waiting:
            self._proceed(mine)

    def _evaluated(self, mine: OwnTrial, evaluation: Evaluation) -> None:
        """Conclude it; but what an estimate brings to the front is measured first."""
        if not mine.is_confirmed and evaluation.status == "complete" and evaluation.is_estimated:
            mine.is_confirmed = True
            known = (point for point in self.finished.points if point is not None)
            point = self.finished.point(evaluation)
            if point is not None and not is_dominated(point, known):
                self._submit(mine, evaluation)
                return
        if mine.until is not None and evaluation.status == "stopped":
            self._pause(mine, evaluation)
            return
        if mine.twin is not None and evaluation.status == "complete":
            reason = f"same architecture as trial {mine.twin.trial}, trained with one more seed"
            self._conclude(mine, replace(evaluation, status="repeat", reason=reason), repeat_of=mine.twin.trial)
            return
        if evaluation.proxy is not None and evaluation.proxy.stopped_at is not None:
            evaluation = replace(evaluation, reason=self.pruner.reason(mine.trial, evaluation.proxy.stopped_at))
        if evaluation.params_m is None:  # its process was killed
            cost = costed(mine.spec, {})
            evaluation = replace(evaluation, params_m=cost.params_m, macs_g=cost.macs_g)
        self._conclude(mine, evaluation)

    def _conclude(self, mine: OwnTrial, evaluation: Evaluation, repeat_of: int | None = None) -> None:
        """Write the record, then tell: in this order, so that a kill at any moment loses no result."""
        number = mine.trial.number
        record = Record(
            trial=number,
            architecture=mine.spec.id,
            knobs=self.space.baseline_values | mine.knobs,
            evaluation=evaluation,
            seconds=round(mine.seconds(time.time()), 3),
            finished=datetime.now().astimezone().isoformat(timespec="seconds"),
            repeat_of=repeat_of,
            is_free=mine.spec.id == self.free,
        )
        self._write(partial(record.save, self.folder.trial(number) / "evaluation.json"))
        self._settle(mine.trial, record)
        self.finished.add(record)
        self.open.remove(number)
        self._tell("trial_finished", record)
        if warning := self.finished.warning(self.limits):
            self._tell("notice", warning)

    def _settle(self, trial: optuna.Trial, record: Record) -> None:
        """Publish and tell a record that is written; no training goes on from the trial's state any more."""
        self.folder.discard_training(trial.number)
        self.store.publish(record)
        result = optuna_result(record, self.settings, self.limits)
        for name, value in result.constraints.items():
            trial.set_constraint(name, value)
        self.store.optuna.tell(trial, result.values, state=result.state, skip_if_finished=True)
        self.store.release(trial.number)

    def _write(self, write: Callable[[], None]) -> None:
        self.disk.write(write, self.folder.path, partial(self._tell, "notice"))

    def _tell(self, event: str, *arguments: Any) -> None:
        with self.lock:
            tell(self.watchers, event, *arguments)
