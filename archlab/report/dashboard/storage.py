"""A study's records as Optuna's storage, made from the table and kept up with it."""

import json
import threading
from collections.abc import Container, Iterable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
from optuna.artifacts import ArtifactMeta
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from archlab.analysis.health import health
from archlab.errors import BadInput
from archlab.evaluation import Record
from archlab.evaluation.measures import direction
from archlab.remarks import unheard
from archlab.report.dashboard.pictures import attached
from archlab.report.table import is_known, text
from archlab.study.optuna_result import optuna_result
from archlab.study.study import Study

_DIRECTIONS = {"minimize": StudyDirection.MINIMIZE, "maximize": StudyDirection.MAXIMIZE}
_MOST_NOTES = 500  # the dashboard looks through all of them for every trial


class RecordsStorage(InMemoryStorage):
    """Trials are those of the study's folder, by their own numbers; `refresh` reads what has been finished since.

    Knobs are parameters, objectives values, hard limits constraints, rung scores intermediate values; everything else
    that is known is a user attribute. A trial without a record is running, one that a change of the space left out has
    failed. Pictures are attached as artifacts; the note says what was changed of the baseline.
    """

    def __init__(self, study: Study) -> None:
        super().__init__()
        self.study = study
        self._records: dict[int, Record] = {}
        self._shown: dict[int, Record] = {}
        self._distributions: dict[str, BaseDistribution] = {}
        self._trials: list[FrozenTrial] = []
        self._refreshing = threading.Lock()
        directions = [_DIRECTIONS[direction(name)] for name in study.objectives]
        self._optuna = optuna.create_study(
            study_name=study.name, storage=self, directions=directions, sampler=optuna.samplers.RandomSampler()
        )
        self.refresh()

    def refresh(self) -> None:
        """Take up what is new in the study's folder."""
        with self._refreshing:
            numbers = self.study.files.numbers()
            found = {number: record for number in numbers if (record := self._new_record(number))}
            is_confirmed = self._is_confirmed_anew()
            if found or is_confirmed or not self._trials:
                self._records |= found
                self.study = Study(self.study.files, [self._records[number] for number in sorted(self._records)])
                self._shown = {record.trial: record for record in self.study.records}
                self._distributions = _distributions(self.study)
                self._describe()
            if is_confirmed:
                self._trials = []
            last = max([*numbers, *self._records], default=-1)
            if found or last >= len(self._trials):
                finished = {trial.number: trial for trial in self._trials if trial.state.is_finished()}
                self._trials = [finished.get(number) or self._trial(number) for number in range(last + 1)]
                self._annotate(self._records.keys() - finished.keys())

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """All trials by number; they are shared, whatever ``deepcopy`` says, as nobody writes them."""
        return [trial for trial in self._trials if states is None or trial.state in states]

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """One trial; its id is its number."""
        if not 0 <= trial_id < len(self._trials):
            raise KeyError(f"no trial {trial_id}")
        return self._trials[trial_id]

    def get_best_trial(self, study_id: int) -> FrozenTrial:
        """The best trial of a study with one objective."""
        return BaseStorage.get_best_trial(self, study_id)

    def _is_confirmed_anew(self) -> bool:
        """Whether latencies have been measured side by side since the last look."""
        try:
            return self.study.files.confirmation() != self.study.confirmation
        except BadInput:  # damaged: `archlab study` says so, and this goes on
            return False

    def _new_record(self, number: int) -> Record | None:
        if number in self._records or number in self.study.settings.left_out:
            return None
        try:
            return self.study.files.record(number)
        except BadInput:  # damaged: `archlab study` says so, and this goes on
            return None

    def _describe(self) -> None:
        """Name the objectives, and say in the study's note how far it is and what to take."""
        from optuna_dashboard import save_note

        with unheard("optuna"):
            self._optuna.set_metric_names([_named(name, self.study) for name in self.study.objectives])
        rows = [f"| {word} | {pick.trial} | {pick.why} |\n" for word, pick in self.study.picks.items()]
        table = ["\n\n| pick | trial | why |\n| --- | --- | --- |\n", *rows] if rows else []
        doubts = [f"\n\n{line}" for line in health(self.study)]
        save_note(self._optuna, "".join([str(self.study.counts), *doubts, *table]))

    def _annotate(self, numbers: Iterable[int]) -> None:
        """Say in the notes of trials what they changed of the baseline."""
        from optuna_dashboard import save_note

        for number in sorted(number for number in numbers if number < _MOST_NOTES):
            changes = _changes(self._shown[number], self.study.baseline)
            save_note(optuna.Trial(self._optuna, number), f"Against the baseline:\n\n{changes}")

    def _trial(self, number: int) -> FrozenTrial:
        record, artifacts = self._shown.get(number), _artifacts(number, self.study.files.trial(number))
        if record is None:
            left_out = number in self.study.settings.left_out
            return _frozen(number, TrialState.FAIL if left_out else TrialState.RUNNING, system_attrs=artifacts)
        result = optuna_result(record, self.study.settings, self.study.limits)
        params = {
            name: value for name, value in record.knobs.items() if name in self._distributions and is_known(value)
        }
        finished = datetime.fromisoformat(record.finished).astimezone().replace(tzinfo=None)
        return _frozen(
            number,
            result.state,
            started=finished - timedelta(seconds=record.seconds),
            finished=finished,
            values=result.values,
            params=params,
            distributions={name: self._distributions[name] for name in params},
            user_attrs=_facts(record),
            system_attrs=artifacts | {"constraints": list(result.constraints.values())},  # as the dashboard reads them
            intermediate_values=_rungs(record),
        )


def _frozen(
    number: int,
    state: TrialState,
    *,
    started: datetime | None = None,
    finished: datetime | None = None,
    values: list[float] | None = None,
    params: dict[str, Any] | None = None,
    distributions: dict[str, BaseDistribution] | None = None,
    user_attrs: dict[str, Any] | None = None,
    system_attrs: dict[str, Any] | None = None,
    intermediate_values: dict[int, float] | None = None,
) -> FrozenTrial:
    return FrozenTrial(
        number=number,
        trial_id=number,
        state=state,
        value=None,
        values=values,
        datetime_start=started,
        datetime_complete=finished,
        params=params or {},
        distributions=distributions or {},
        user_attrs=user_attrs or {},
        system_attrs=system_attrs or {},
        intermediate_values=intermediate_values or {},
    )


def _distributions(study: Study) -> dict[str, BaseDistribution]:
    """Of every knob, over its values and the baseline's own, which stands in where the knob is not in effect."""
    found: dict[str, BaseDistribution] = {}
    for name, domain in study.settings.knobs.items():
        labels = {record.knobs.get(name): None for record in study.records}
        choices = [*dict.fromkeys([*domain.values, study.baseline.get(name), *labels])]
        known: list[Any] = [choice for choice in choices if is_known(choice)]
        if not domain.range or not all(isinstance(choice, (int, float)) for choice in known):
            found[name] = CategoricalDistribution(known)
        elif all(isinstance(choice, int) for choice in known):
            found[name] = IntDistribution(min(known), max(known))
        else:
            found[name] = FloatDistribution(min(known), max(known))
    return found


def _named(objective: str, study: Study) -> str:
    return f"quality ({study.quality_label})" if objective == "quality" else objective


def _changes(record: Record, baseline: Mapping[str, Any]) -> str:
    """``- conv: standard → separable``, a line for each knob that differs."""
    knobs = [(name, text(baseline.get(name)), text(value)) for name, value in record.knobs.items()]
    return "".join(f"- {name}: {old} → {new}\n" for name, old, new in knobs if old != new) or "no change"


def _facts(record: Record) -> dict[str, Any]:
    shown = {name: value for name, value in record.row().items() if name not in (*record.knobs, "trial", "finished")}
    return {name: value for name, value in shown.items() if is_known(value)}


def _rungs(record: Record) -> dict[int, float]:
    return dict(record.evaluation.proxy.rungs) if record.evaluation.proxy else {}


def _artifacts(number: int, folder: Path) -> dict[str, Any]:
    """The trial's pictures as Optuna keeps artifacts: an attribute each."""
    attributes = {}
    for artifact, (name, mimetype) in attached(number, folder).items():
        meta = ArtifactMeta(artifact_id=artifact, filename=name, mimetype=mimetype, encoding=None)
        attributes[f"artifacts:{artifact}"] = json.dumps(asdict(meta))
    return attributes
