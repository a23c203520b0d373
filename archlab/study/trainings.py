"""Every training of a study as its surrogate sees it: those that ended, are paused, or are under way."""

from collections.abc import Sequence

from optuna.trial import FixedTrial, FrozenTrial, TrialState

from archlab.evaluation import Evaluation, Record
from archlab.space import SearchSpace
from archlab.space.knobs import Value
from archlab.study.compatibility import fitting_values
from archlab.study.definition import StudyDefinition
from archlab.study.finished import FinishedTrials
from archlab.study.open_trials import OpenTrials
from archlab.study.paused import paused_of, until_of
from archlab.study.sampler import suggest
from archlab.study.store import Store
from archlab.study.surrogate import Begun


class Trainings:
    """Reads finished records and Optuna's running trials; what does not change is read once."""

    def __init__(self, definition: StudyDefinition, store: Store, finished: FinishedTrials, open_trials: OpenTrials):
        self.space, self.rungs = definition.space, definition.settings.proxy.rungs
        self.store, self.finished, self.open = store, finished, open_trials
        self._seen: set[int] = set()
        self._ended: dict[int, Begun] = {}
        self._values: dict[int, dict[str, Value]] = {}

    def begun(self) -> list[Begun]:
        """All of them by number; one that was not trained, if a device measured it."""
        for number in self.finished.trials.keys() - self._seen:
            self._seen.add(number)
            if one := begun_of(self.finished.trials[number], self.space, self.rungs):
                self._ended[number] = one
        running = self.store.optuna.get_trials(deepcopy=False, states=[TrialState.RUNNING])
        under_way = {t.number: self._of_trial(t) for t in running if t.number not in self.finished.trials}
        everything = self._ended | {number: one for number, one in under_way.items() if one is not None}
        return [everything[number] for number in sorted(everything)]

    def _of_trial(self, trial: FrozenTrial) -> Begun | None:
        """None where its driver was killed while it asked."""
        if trial.number not in self._values:
            try:
                self._values[trial.number] = suggest(FixedTrial(trial.params), self.space)
            except ValueError:
                return None
        paused, own = paused_of(trial), self.open.own(trial.number)
        known = None if paused is None else paused.evaluation
        return Begun(
            trial=trial.number,
            values=self._values[trial.number],
            known=known,
            qualities=_qualities(known, self.rungs),
            until=until_of(trial, self.rungs[0]),
            may_go_on=own is not None and own.is_paused,
            seconds=0.0 if paused is None else paused.seconds,
        )


def begun_of(record: Record, space: SearchSpace, rungs: Sequence[int]) -> Begun | None:
    """A finished trial; None for a repeat, a refused combination, what failed before anything was measured, and what
    the space has no place for."""
    known, values = record.evaluation, fitting_values(space, record) if record.counts else None
    if values is None or (known.proxy is None and not known.latency):
        return None
    return Begun(
        trial=record.trial,
        values=values,
        known=known,
        qualities=_qualities(known, rungs),
        seconds=record.seconds,
    )


def _qualities(known: Evaluation | None, rungs: Sequence[int]) -> dict[int, float]:
    """At the study's rungs: it may have had others before."""
    proxy = None if known is None else known.proxy
    return {} if proxy is None else {rung: proxy.rungs[rung] for rung in rungs if rung in proxy.rungs}
