"""Every training of a study as its surrogate sees it: those that ended, are paused, or are under way."""

from collections.abc import Mapping
from typing import Any

from optuna.trial import FixedTrial, FrozenTrial

from archlab.space.knobs import Value
from archlab.study.begun import begun_of, qualities_of
from archlab.study.definition import StudyDefinition
from archlab.study.finished import FinishedTrials
from archlab.study.open_trials import OpenTrials, OwnTrial
from archlab.study.paused import Paused, kept, paused_of, until_of
from archlab.study.sampler import suggest
from archlab.study.store import Store
from archlab.study.surrogate import Begun


class Trainings:
    """Reads finished records, this driver's trials and those of others; what has not changed is not read again."""

    def __init__(self, definition: StudyDefinition, store: Store, finished: FinishedTrials, open_trials: OpenTrials):
        self.space, self.rungs = definition.space, definition.settings.proxy.rungs
        self.store, self.finished, self.open = store, finished, open_trials
        self._seen: set[int] = set()
        self._ended: dict[int, Begun] = {}
        self._own: dict[int, Begun] = {}
        self._others: dict[int, tuple[Mapping[str, Any], Begun]] = {}

    def begun(self) -> list[Begun]:
        """All of them by number; one that was not trained, if a device measured it."""
        for number in self.finished.trials.keys() - self._seen:
            self._seen.add(number)
            if one := begun_of(self.finished.trials[number], self.space, self.rungs):
                self._ended[number] = one
        self._own = {own.trial.number: self._of_own(own) for own in self.open.ours}
        others = [t for t in self.store.others() if t.number not in self._own and t.number not in self._seen]
        self._others = {trial.number: known for trial in others if (known := self._of_other(trial))}
        everything = self._ended | self._own | {number: one for number, (_, one) in self._others.items()}
        return [everything[number] for number in sorted(everything)]

    def _of_own(self, own: OwnTrial) -> Begun:
        known, before = None if own.paused is None else own.paused.evaluation, self._own.get(own.trial.number)
        if before is not None and before.known is known and before.until == own.until:
            return before
        return self._begun(own.trial.number, own.values, own.paused, own.until, may_go_on=own.is_paused)

    def _of_other(self, trial: FrozenTrial) -> tuple[Mapping[str, Any], Begun] | None:
        """With what is kept of it; None where its driver was killed while it asked."""
        before, state = self._others.get(trial.number), kept(trial)
        if before is not None and before[0] == state:
            return before
        try:
            values = before[1].values if before else suggest(FixedTrial(trial.params), self.space)
        except ValueError:
            return None
        until = until_of(trial, self.rungs[0])
        return state, self._begun(trial.number, values, paused_of(trial), until, may_go_on=False)

    def _begun(
        self, number: int, values: dict[str, Value], paused: Paused | None, until: int | None, *, may_go_on: bool
    ) -> Begun:
        known = None if paused is None else paused.evaluation
        return Begun(
            trial=number,
            values=values,
            known=known,
            qualities=qualities_of(known, self.rungs),
            until=until,
            may_go_on=may_go_on,
            seconds=0.0 if paused is None else paused.seconds,
        )
