"""The driver: ask → evaluate → tell, until the study has its trials."""

import json
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from archlab.architecture import save
from archlab.cost import count
from archlab.errors import BadInput, RunFailed
from archlab.files import read_json, write_text
from archlab.space import SearchSpace, ladder_plan, survey
from archlab.space.knobs import Value
from archlab.space.settings import Share
from archlab.space.survey import COST_LIMITS
from archlab.study.evaluate import Job, evaluate, measure_estimated, measured_or_estimated
from archlab.study.folder import StudyFolder, study_folder
from archlab.study.front import is_dominated
from archlab.study.record import Evaluation, Record
from archlab.study.sampler import as_params, make_sampler, suggest
from archlab.study.study import ROOT, Study
from archlab.study.watcher import Watcher

_MOST_REPEATS = 3  # in a row, before an unseen architecture is drawn at random
_MOST_FAILURES = 5  # in a row, before the study gives up
_MOST_DRAWS = 2_000


def run_study(
    space: SearchSpace,
    name: str | None = None,
    *,
    root: str | Path = ROOT,
    watchers: Sequence[Watcher] = (),
) -> Study:
    """Run the study of ``space`` in ``root/name``, or go on where it stopped; a finished one is returned as it is.

    Raises:
        BadInput: the limits cannot be met, the folder holds another space's study, is in use or cannot be written.
        RunFailed: the baseline cannot be measured, or several trials in a row failed.
    """
    folder = study_folder(space.name if name is None else name, Path(root))
    limits = survey(space).limits
    with folder.locked():
        folder.claim(space)
        return _Driver(space, folder, limits, watchers).run()


class _Driver:
    """One process that holds the study."""

    def __init__(
        self, space: SearchSpace, folder: StudyFolder, limits: dict[str, float], watchers: Sequence[Watcher]
    ) -> None:
        self.space, self.folder, self.limits, self.watchers = space, folder, limits, watchers
        self.plan = ladder_plan(space)
        self.records = folder.records()
        self.optuna = _open_optuna(space, folder)

    def run(self) -> Study:
        self._tell("study_started", Study(self.folder))
        if not self._is_finished():
            self._measure_baseline()
            for trial in self._interrupted():
                self._run_trial(trial)
        while not self._is_finished():
            self._refuse_hopeless()
            if not self._has_next():
                break
            self.optuna.sampler = make_sampler(self.space.settings.search, len(self.optuna.get_trials(deepcopy=False)))
            self._run_trial(self.optuna.ask())
        return Study(self.folder)

    def _has_next(self) -> bool:
        """Whether there is something left to ask for; what the plan or an exhausted sampler wants is enqueued."""
        if not self.plan:
            return not self._is_repeating() or self._enqueue_unseen()
        asked = self.optuna.get_trials(deepcopy=False)
        if any(trial.state == TrialState.WAITING for trial in asked):
            return True
        if len(asked) < len(self.plan):
            self.optuna.enqueue_trial(as_params(self.plan[len(asked)]))
        return len(asked) < len(self.plan)

    def _run_trial(self, trial: optuna.Trial) -> None:
        """Suggest, evaluate, write the record, tell: in this order, so that a kill at any moment loses no result."""
        values = suggest(trial, self.space)
        written = next((record for record in self.records if record.trial == trial.number), None)
        record = written or self._new_record(trial.number, values)
        self._tell_optuna(trial, record)
        if written is None:
            self.records.append(record)
            self._tell("trial_finished", record)

    def _new_record(self, number: int, values: dict[str, Value]) -> Record:
        started = time.perf_counter()
        spec, knobs = self.space.spec(values), as_params(values)
        twin = next((record for record in self.records if record.counts and record.architecture == spec.id), None)
        folder = self.folder.trial(number)
        save(spec, folder / "architecture.yaml")
        if not self.space.permits(values):
            evaluation = Evaluation(status="gated", gate="require", reason="the combination is excluded by require")
        elif twin is not None:
            evaluation = replace(
                twin.evaluation, status="repeat", gate=None, reason=f"same architecture as trial {twin.trial}"
            )
        else:
            self._tell("trial_started", number, knobs)
            job = Job(spec=spec, settings=self.space.settings, limits=self.limits, folder=folder)
            evaluation = self._certain(evaluate(job, self._progress), job)
        record = Record(
            trial=number,
            architecture=spec.id,
            knobs=self.space.baseline_values | knobs,
            evaluation=evaluation,
            seconds=round(time.perf_counter() - started, 3),
            finished=datetime.now().astimezone().isoformat(timespec="seconds"),
            repeat_of=twin.trial if evaluation.status == "repeat" and twin else None,
        )
        record.save(folder / "evaluation.json")
        return record

    def _certain(self, evaluation: Evaluation, job: Job) -> Evaluation:
        """The evaluation, its estimated latencies measured if they bring it to the front."""
        if evaluation.status != "complete" or not evaluation.is_estimated:
            return evaluation
        complete = [record.evaluation for record in self.records if record.evaluation.status == "complete"]
        if is_dominated(self._point(evaluation), map(self._point, complete)):
            return evaluation
        return measure_estimated(evaluation, job, self._progress)

    def _point(self, evaluation: Evaluation) -> list[float]:
        cells = evaluation.cells()
        return [cells[name] for name in self.space.settings.objectives]

    def _tell_optuna(self, trial: optuna.Trial, record: Record) -> None:
        row = record.row()
        if record.evaluation.gate == "require":
            trial.set_constraint("require", 1.0)
        for name, limit in self.limits.items():
            if row.get(name) is not None:
                trial.set_constraint(name, row[name] / limit - 1)
        objectives: list[Any] = [row.get(name) for name in self.space.settings.objectives]
        if record.evaluation.status == "failed":
            self.optuna.tell(trial, state=TrialState.FAIL)
        elif record.evaluation.gate or None in objectives:
            self.optuna.tell(trial, state=TrialState.PRUNED)
        else:
            self.optuna.tell(trial, objectives)

    def _interrupted(self) -> list[optuna.Trial]:
        """Trials that a killed run left asked and not told; they keep their numbers and values."""
        running = self.optuna.get_trials(deepcopy=False, states=[TrialState.RUNNING])
        self.optuna.sampler = make_sampler(self.space.settings.search, len(running))
        return [optuna.Trial(self.optuna, trial._trial_id) for trial in running]

    def _measure_baseline(self) -> None:
        """Cost and latency of the baseline, once: shares in limits and every chart refer to it."""
        path = self.folder.path / "baseline.json"
        if not path.is_file():
            self._tell("trial_started", None, dict(self.space.baseline_values))
            facts = self._baseline_facts()
            if not self.plan:
                self._enqueue_baseline()
            write_text(path, json.dumps(facts, indent=2) + "\n")
        self.limits = read_json(path).get("limits", {})

    def _baseline_facts(self) -> dict[str, Any]:
        cost, settings, limits = count(self.space.baseline), self.space.settings, dict(self.limits)
        latency = {}
        for column, where in settings.latency_columns.items():
            latency[where.name] = known = measured_or_estimated(self.space.baseline, where, self._progress)
            limit = settings.latency_limits.get(column)
            if limit is not None:
                limits[column] = limit.of_baseline * known["median_ms"] if isinstance(limit, Share) else limit
        return {
            "knobs": self.space.baseline_values,
            "params_m": cost.params_m,
            "macs_g": cost.macs_g,
            "latency": latency,
            "limits": limits,
        }

    def _enqueue_baseline(self) -> None:
        """The baseline is the first trial where the space contains it and the limits allow it."""
        wanted = {name: value for name, value in self.space.baseline_values.items() if value is not None}
        try:
            values = self.space.in_effect({n: self.space.knobs[n].find(v) for n, v in wanted.items()})
        except BadInput:
            return
        cost = count(self.space.spec(values))
        affordable = all(getattr(cost, n) <= self.limits[n] for n in COST_LIMITS if n in self.limits)
        if self.space.spec(values) == self.space.baseline and self.space.permits(values) and affordable:
            self.optuna.enqueue_trial(as_params(values))

    def _enqueue_unseen(self) -> bool:
        """Enqueue a random architecture that the study has not seen; False if none was found."""
        seen = {record.architecture for record in self.records}
        source = random.Random(f"{self.space.settings.search.seed} {len(self.records)}")
        for _ in range(_MOST_DRAWS):
            values = self.space.sample_values(source)
            if self.space.spec(values).id not in seen:
                self.optuna.enqueue_trial(as_params(values))
                return True
        return False

    def _is_finished(self) -> bool:
        return sum(record.counts for record in self.records) >= self.space.settings.search.trials

    def _is_repeating(self) -> bool:
        last = self.records[-_MOST_REPEATS:]
        return len(last) == _MOST_REPEATS and not any(record.counts for record in last)

    def _refuse_hopeless(self) -> None:
        last = [record.evaluation for record in self.records if record.counts][-_MOST_FAILURES:]
        if len(last) == _MOST_FAILURES and all(evaluation.status == "failed" for evaluation in last):
            raise RunFailed(f"the last {_MOST_FAILURES} trials failed; the last one: {last[-1].reason}")

    def _progress(self, stage: str, done: float) -> None:
        self._tell("progress", stage, done)

    def _tell(self, event: str, *arguments: Any) -> None:
        for watcher in self.watchers:
            getattr(watcher, event)(*arguments)


def _open_optuna(space: SearchSpace, folder: StudyFolder) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        study_name=folder.name,
        storage=JournalStorage(JournalFileBackend(str(folder.journal))),
        directions=["minimize"] * len(space.settings.objectives),
        load_if_exists=True,
    )
