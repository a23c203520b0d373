"""Every training of a study as its surrogate sees it: those that ended, are paused, or are under way."""

from optuna.trial import FixedTrial, FrozenTrial, TrialState

from archlab.space.knobs import Value
from archlab.study.begun import begun_of, qualities_of
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
            qualities=qualities_of(known, self.rungs),
            until=until_of(trial, self.rungs[0]),
            may_go_on=own is not None and own.is_paused,
            seconds=0.0 if paused is None else paused.seconds,
        )
