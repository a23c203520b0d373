"""Optuna's samplers over a search space, kept from what is known to be useless before anything is measured.

trial = optuna_study.ask()    # its sampler: make_sampler(definition, limits=…, known=…)
values = suggest(trial, definition.space)
"""

import random
import warnings
from collections.abc import Callable, Container, Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import BaseTrial, FixedTrial, FrozenTrial

from archlab.cost import count
from archlab.evaluation.measures import COSTS
from archlab.space import SearchSpace, label
from archlab.space.domain import Domain
from archlab.space.knobs import Value
from archlab.study.definition import StudyDefinition
from archlab.study.settings import Strategy

_MOST_CHANGES = 256  # of a useless proposal; each costs a third of a millisecond
_CHANGES_AT_A_DISTANCE = 32


def make_sampler(
    definition: StudyDefinition, *, limits: Mapping[str, float], known: Container[str] = ()
) -> optuna.samplers.BaseSampler:
    """The sampler of a study.

    For every trial it begins anew, seeded by the study's seed and the trial's number, so that a resumed study proposes
    what an undisturbed one would have. What a plan wants (``grid``, ``ablate``, …) is enqueued, not sampled.

    Args:
        limits: resolved hard limits; those on params and MACs are met by what is proposed, others are not known yet.
        known: content hashes of architectures that are not to be proposed again.
    """
    return _UsefulPoints(definition, limits, known)


def suggest(trial: BaseTrial, space: SearchSpace) -> dict[str, Value]:
    """Values of the knobs in effect, conditions asked before what depends on them."""

    def ask(name: str) -> Any:
        match _distribution(space.knobs[name]):
            case CategoricalDistribution(choices=choices):
                return trial.suggest_categorical(name, choices)
            case IntDistribution(low=low, high=high, step=step):
                return trial.suggest_int(name, low, high, step=step)
            case FloatDistribution(low=low, high=high, step=step):
                return trial.suggest_float(name, low, high, step=step)

    return _walk(space, ask)


def with_values(values: Mapping[str, Value], space: SearchSpace) -> FixedTrial:
    """A trial that was suggested these values."""
    trial = FixedTrial(as_params(values))
    suggest(trial, space)
    return trial


def as_params(values: Mapping[str, Value]) -> dict[str, Any]:
    """Knob values as Optuna stores them."""
    return {name: label(value) for name, value in values.items()}


class _UsefulPoints(optuna.samplers.BaseSampler):
    """Proposes whole points. A useless one is replaced by a useful one near it.

    The sampler is asked once, for at 10,000 trials that takes longer than all else. Where its proposal breaks
    ``require`` or a limit on costs, or is a known architecture, one knob of it is changed at random, after some failed
    tries two, and so on; ``random`` draws anew instead. A space that has nothing else left gets the proposal as it is.
    """

    def __init__(self, definition: StudyDefinition, limits: Mapping[str, float], known: Container[str]) -> None:
        self.space, self.search = definition.space, definition.settings.search
        self.strategy, self.known = definition.settings.strategy, known
        self.limits = {name: limits[name] for name in COSTS if name in limits}

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        seed = random.Random(f"{self.search.seed} {trial.number}").randrange(2**32)
        self.inner, self.random = _optuna_sampler(self.strategy, self.search.trials, seed), random.Random(seed)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {name: _distribution(domain) for name, domain in self.space.knobs.items()}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        drawn = self.inner.sample_relative(study, trial, self._crossed(study, trial))

        def draw(name: str) -> Any:
            if name not in drawn:
                drawn[name] = self.inner.sample_independent(study, trial, name, search_space[name])
            return drawn[name]

        return as_params(self._useful(_walk(self.space, draw)))

    def _crossed(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """What the inner sampler draws together.

        A genetic one finds it by going over all trials, each time anew where it is new: the knobs that each has.
        """
        if not isinstance(self.inner, optuna.samplers.BaseGASampler):
            return self.inner.infer_relative_search_space(study, trial)
        every = {name: _distribution(domain) for name, domain in self.space.knobs.items() if not domain.when}
        return {name: distribution for name, distribution in every.items() if not distribution.single()}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """What a killed run had half suggested may bring knobs into effect that the proposal has not."""
        return self.inner.sample_independent(study, trial, param_name, param_distribution)

    def _useful(self, proposed: dict[str, Value]) -> dict[str, Value]:
        values, names = proposed, list(self.space.knobs)
        for changes in range(_MOST_CHANGES):
            if not self._is_useless(values):
                return values
            distance = min(len(names), 1 + changes // _CHANGES_AT_A_DISTANCE)
            if isinstance(self.inner, optuna.samplers.RandomSampler):
                distance = len(names)
            changed = self.random.sample(names, distance)
            # A knob that comes into effect by another's change needs a value, too.
            anew = {name: self.random.choice(self.space.knobs[name].values) for name in names}
            values = self.space.in_effect(anew | proposed | {name: anew[name] for name in changed})
        return proposed

    def _is_useless(self, values: Mapping[str, Value]) -> bool:
        if not self.space.permits(values):
            return True
        spec = self.space.spec(values)
        if self.limits:
            cost = count(spec)
            if any(getattr(cost, name) > limit for name, limit in self.limits.items()):
                return True
        return spec.id in self.known


def _optuna_sampler(strategy: Strategy, trials: int, seed: int) -> optuna.samplers.BaseSampler:
    population = max(8, min(50, trials // 4))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        match strategy:
            case "tpe":
                startup = max(4, min(10, trials // 4))
                return optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup, multivariate=True, group=True)
            case "nsga2":
                return optuna.samplers.NSGAIISampler(seed=seed, population_size=population)
            case "nsga3":
                return optuna.samplers.NSGAIIISampler(seed=seed, population_size=population)
            case _:  # a plan's values are enqueued
                return optuna.samplers.RandomSampler(seed=seed)


def _walk(space: SearchSpace, ask: Callable[[str], Any]) -> dict[str, Value]:
    """Values in effect, each knob asked for by name once those it depends on are known to bring it into effect."""
    values: dict[str, Value] = {}
    asked: set[str] = set()

    def visit(name: str) -> None:
        if name in asked:
            return
        asked.add(name)
        domain = space.knobs[name]
        for other in domain.when:
            visit(other)
        if all(other in values and values[other] in wanted for other, wanted in domain.when.items()):
            values[name] = _nearest(domain, ask(name))

    for name in space.knobs:
        visit(name)
    return space.in_effect(values)


def _distribution(domain: Domain) -> CategoricalDistribution | IntDistribution | FloatDistribution:
    if not domain.ordered or len(domain.values) == 1:
        return CategoricalDistribution([label(value) for value in domain.values])
    low, second, *_ = numbers = domain.numbers
    if all(isinstance(value, int) for value in numbers):
        return IntDistribution(int(low), int(numbers[-1]), step=int(second - low))
    return FloatDistribution(low, numbers[-1], step=second - low)


def _nearest(domain: Domain, value: Any) -> Value:
    """The domain's own value; a float comes back from Optuna with rounding errors."""
    if isinstance(value, float) and domain.ordered:
        return min(domain.numbers, key=lambda own: abs(own - value))
    return domain.find(value)
