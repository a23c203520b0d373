"""What a study evaluates next: an arm of its plan, or what its sampler proposes."""

import random
from collections.abc import Container
from typing import NamedTuple

import optuna
from optuna.trial import FixedTrial, TrialState, create_trial

from archlab.space import Arm
from archlab.space.knobs import Value
from archlab.study.definition import StudyDefinition
from archlab.study.evaluate import costed
from archlab.study.finished import FinishedTrials
from archlab.study.paused import until_attribute
from archlab.study.sampler import as_params, make_sampler, suggest, with_values
from archlab.study.store import Store

_MOST_WITHOUT_NEWS = 3  # proposals in a row that tell nothing new, before an unseen architecture is drawn at random
_MOST_DRAWS = 2_000


class Proposal(NamedTuple):
    """A trial with its knob values in effect."""

    trial: optuna.Trial
    values: dict[str, Value]


class Proposals:
    """Asks Optuna.

    Attributes:
        is_plan: whether there are arms; then nothing is searched.
    """

    def __init__(
        self,
        definition: StudyDefinition,
        arms: list[Arm],
        store: Store,
        finished: FinishedTrials,
        limits: dict[str, float],
    ) -> None:
        self.definition, self.space = definition, definition.space
        self.store, self.study, self.finished, self.limits = store, store.optuna, finished, limits
        self.is_plan = bool(arms)
        self._arms = iter(arms)
        self._without_news = finished.without_news()
        self._may_wait = True  # what is begun with its values is not enqueued

    def next(self, under_way: Container[str]) -> Proposal | None:
        """The next trial; None where nothing is left to ask for.

        Args:
            under_way: content hashes of architectures that are being evaluated.
        """
        if self.has_waiting() or not (self.is_plan or self._without_news >= _MOST_WITHOUT_NEWS):
            return self.asked(under_way)
        known = self.known(under_way)
        values = self._next_arm(known) if self.is_plan else self._unseen(known)
        return None if values is None else self.begin(values, known)

    def enqueue_baseline(self) -> None:
        """Have it as the first trial, where the space contains it and the limits allow it."""
        if self.is_plan or self.study.get_trials(deepcopy=False):
            return
        values = self.space.find_baseline()
        if values is not None and not costed(self.space.baseline, self.limits).gate:
            settings = self.definition.settings
            is_paused_at_rungs = settings.strategy == "surrogate"
            attributes = until_attribute(settings.proxy.rungs[-1]) if is_paused_at_rungs else None
            self.study.enqueue_trial(as_params(values), attributes)

    def begin(self, values: dict[str, Value], known: Container[str], until: int | None = None) -> Proposal:
        """A trial with these values, to be trained to this rung."""
        self._without_news = 0
        asked, attributes = with_values(values, self.space), {} if until is None else until_attribute(until)
        trial = create_trial(
            state=TrialState.RUNNING, params=asked.params, distributions=asked.distributions, user_attrs=attributes
        )
        self._set_sampler(known)
        return Proposal(self.store.begin(trial), values)

    def has_waiting(self) -> bool:
        """Whether a trial is enqueued, which the baseline alone is, as the first one."""
        if self._may_wait:
            self._may_wait = bool(self.study.get_trials(deepcopy=False, states=[TrialState.WAITING]))
        return self._may_wait

    def known(self, under_way: Container[str]) -> Container[str]:
        """Content hashes of what was asked for already."""
        return _Either(self.finished, under_way)

    def asked(self, under_way: Container[str]) -> Proposal:
        """What Optuna says next: what is enqueued, else what its sampler proposes."""
        known = self.known(under_way)
        self._set_sampler(known)
        return self._suggested(self.study.ask(), known)

    def take_up(self, number: int, under_way: Container[str]) -> Proposal:
        """A trial that was asked before; it keeps the values that it has."""
        known = self.known(under_way)
        self._set_sampler(known)
        return self._suggested(self.store.reopen(number), known)

    def architecture(self, trial: optuna.trial.FrozenTrial) -> str:
        """The content hash of a trial that was asked; empty where its driver was killed while it asked."""
        try:
            return self.space.spec(suggest(FixedTrial(trial.params), self.space)).id
        except ValueError:
            return ""

    def _suggested(self, trial: optuna.Trial, known: Container[str]) -> Proposal:
        values = suggest(trial, self.space)
        is_new = self.space.permits(values) and self.space.spec(values).id not in known
        self._without_news = 0 if is_new else self._without_news + 1
        return Proposal(trial, values)

    def _set_sampler(self, known: Container[str]) -> None:
        avoided = () if self.definition.settings.search.repeats == "seed" else known
        self.study.sampler = make_sampler(self.definition, limits=self.limits, known=avoided)

    def _next_arm(self, known: Container[str]) -> dict[str, Value] | None:
        return next((dict(arm.values) for arm in self._arms if self.space.spec(arm.values).id not in known), None)

    def _unseen(self, known: Container[str]) -> dict[str, Value] | None:
        """A random affordable architecture that is not known; None if none was found."""
        source = random.Random(f"{self.definition.settings.search.seed} {len(self.finished.trials)}")
        for _ in range(_MOST_DRAWS):
            values = self.space.sample_values(source)
            spec = self.space.spec(values)
            if spec.id not in known and not costed(spec, self.limits).gate:
                return values
        return None


class _Either(Container[str]):
    """What is in one of two containers."""

    def __init__(self, first: Container[str], second: Container[str]) -> None:
        self.first, self.second = first, second

    def __contains__(self, item: object) -> bool:
        return item in self.first or item in self.second
