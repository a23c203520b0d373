"""Optuna's samplers over a search space."""

import random
import warnings
from typing import Any

import optuna

from archlab.space import SearchSpace, label
from archlab.space.domain import Domain
from archlab.space.knobs import Value
from archlab.space.settings import SearchSettings


def make_sampler(search: SearchSettings, number: int) -> optuna.samplers.BaseSampler:
    """The sampler that proposes trial ``number``.

    A new one for every trial, seeded by the study's seed and the number, so that a resumed study proposes what an
    undisturbed one would have.
    """
    seed = random.Random(f"{search.seed} {number}").randrange(2**32)
    population = max(8, min(50, search.trials // 4))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        match search.strategy:
            case "tpe":
                startup = max(4, min(10, search.trials // 4))
                return optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup, multivariate=True, group=True)
            case "nsga2":
                return optuna.samplers.NSGAIISampler(seed=seed, population_size=population)
            case "nsga3":
                return optuna.samplers.NSGAIIISampler(seed=seed, population_size=population)
            case "random" | "ladder":  # a ladder's values are enqueued
                return optuna.samplers.RandomSampler(seed=seed)


def suggest(trial: optuna.Trial, space: SearchSpace) -> dict[str, Value]:
    """Values of the knobs in effect, conditions asked before what depends on them."""
    values: dict[str, Value] = {}
    asked: set[str] = set()

    def ask(name: str) -> None:
        if name in asked:
            return
        asked.add(name)
        when = space.knobs[name].when
        for other in when:
            ask(other)
        if all(other in values and values[other] in wanted for other, wanted in when.items()):
            values[name] = space.knobs[name].find(_suggest_one(trial, space.knobs[name]))

    for name in space.knobs:
        ask(name)
    return space.in_effect(values)


def as_params(values: dict[str, Value]) -> dict[str, Any]:
    """Knob values as Optuna stores them."""
    return {name: label(value) for name, value in values.items()}


def _suggest_one(trial: optuna.Trial, domain: Domain) -> Any:
    name = domain.knob.name
    if not domain.ordered or len(domain.values) == 1:
        return trial.suggest_categorical(name, [label(value) for value in domain.values])
    low, second, *_ = numbers = domain.numbers
    if all(isinstance(value, int) for value in numbers):
        return trial.suggest_int(name, int(low), int(numbers[-1]), step=int(second - low))
    value = trial.suggest_float(name, low, numbers[-1], step=second - low)
    return min(numbers, key=lambda own: abs(own - value))
