"""Every training of a study as its surrogate sees it: those that ended, are paused, or are under way."""

from collections.abc import Mapping
from itertools import takewhile
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
from archlab.study.surrogate import Begun, Pace


class Trainings:
    """Reads finished records, this driver's trials and those of others; what has not changed is not read again.

    Attributes:
        pace: of all that `begun` told last.
    """

    def __init__(self, definition: StudyDefinition, store: Store, finished: FinishedTrials, open_trials: OpenTrials):
        self.space, self.rungs = definition.space, definition.settings.proxy.rungs
        self.store, self.finished, self.open = store, finished, open_trials
        self.pace = Pace()
        self._seen: set[int] = set()
        self._begun: dict[int, Begun] = {}
        self._is_in_order = True  # by number
        self._under_way: set[int] = set()
        self._paused: dict[int, Paused | None] = {}
        self._others: dict[int, tuple[Mapping[str, Any], Begun]] = {}

    def begun(self) -> list[Begun]:
        """All of them by number; one that was not trained, if a device measured it."""
        for number in self.finished.news(self._seen):
            self._seen.add(number)
            self._note(number, begun_of(self.finished.trials[number], self.space, self.rungs))
        self._look_at_own()
        self._look_at_others()
        if not self._is_in_order:
            self._begun, self._is_in_order = dict(sorted(self._begun.items())), True
        return list(self._begun.values())

    def _look_at_own(self) -> None:
        """Of thousands that are paused, those alone that were not when they were looked at last."""
        changed = [*takewhile(self._is_news, self.open.latest_paused)]
        for own in changed:
            self._paused[own.trial.number] = own.paused
        under_way = {own.trial.number: own for own in self.open.under_way}
        for number in self._under_way - under_way.keys():
            if number not in self.open.paused and number not in self._seen:
                self._note(number, None)
        for own in [*changed, *under_way.values()]:
            number = own.trial.number
            if number not in self._seen:
                self._note(number, self._of(number, own.values, own.paused, own.until, own.is_paused))
        self._under_way = set(under_way)

    def _is_news(self, own: OwnTrial) -> bool:
        return self._paused.get(own.trial.number) is not own.paused

    def _look_at_others(self) -> None:
        trials = {trial.number: trial for trial in self.store.others() if self.open.own(trial.number) is None}
        others = {n: known for n, trial in trials.items() if n not in self._seen and (known := self._of_other(trial))}
        for number in self._others.keys() - others.keys():
            if number not in self._seen and self.open.own(number) is None:
                self._note(number, None)
        for number, (_, one) in others.items():
            self._note(number, one)
        self._others = others

    def _note(self, number: int, one: Begun | None) -> None:
        """Keep it, or nothing of that number."""
        if before := self._begun.get(number):
            self.pace.discount(before)
        if one is None:
            self._begun.pop(number, None)
            return
        self.pace.count(one)
        if self._begun and number not in self._begun and number < next(reversed(self._begun)):
            self._is_in_order = False
        self._begun[number] = one

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
        return state, self._of(trial.number, values, paused_of(trial), until, False)

    def _of(
        self, number: int, values: dict[str, Value], paused: Paused | None, until: int | None, is_resumable: bool
    ) -> Begun:
        known = None if paused is None else paused.evaluation
        return Begun(
            trial=number,
            values=values,
            known=known,
            qualities=qualities_of(known, self.rungs),
            until=until,
            is_resumable=is_resumable,
            seconds=0.0 if paused is None else paused.seconds,
        )
