"""Architectures as the surrogate sees them, and those that a study might begin."""

import random
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from archlab.cost import Cost, count
from archlab.evaluation.measures import COSTS
from archlab.space import Domain, SearchSpace, label
from archlab.space.knobs import Value
from archlab.study.surrogate.gaussian_process import Inputs

Values = dict[str, Value]

_ALL_OF = 400  # combinations of knob values: so small a space is looked at as a whole
_DRAWN = 150
_NEIGHBOURS = 150
_FOR_SCALE = 200  # architectures whose costs tell what is cheap
_MOST_KNOWN = 20_000


@dataclass(frozen=True, eq=False)
class Architecture:
    """One of the space.

    Attributes:
        values: of the knobs in effect.
        id: content hash.
        row: its features, [D].
        cheapness: how much less it costs than others, in standard deviations of log cost.
    """

    values: Values
    id: str
    cost: Cost
    row: NDArray[np.float64]
    cheapness: float


def inputs_of(architectures: Sequence[Architecture]) -> Inputs:
    """At the last rung; what costs less is expected to be worse."""
    return Inputs(
        features=np.array([one.row for one in architectures]),
        trend=np.array([one.cheapness for one in architectures]),
        architecture=np.arange(len(architectures)),
        rung=np.zeros(len(architectures), dtype=int),
    )


class Candidates:
    """Describes and finds architectures of a space.

    Attributes:
        groups: [D], for every feature which length scale it has: one of each knob's, then params' and MACs'.
    """

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self.space, self.seed = space, seed
        widths = [_width(domain) for domain in space.knobs.values()]
        self.groups = np.repeat(np.arange(len(widths) + len(COSTS)), [*widths, *[1] * len(COSTS)])
        self._known: dict[tuple[tuple[str, Value], ...], Architecture] = {}

    def describe(self, values: Mapping[str, Value]) -> Architecture:
        """The architecture with these values in effect."""
        key = tuple(values.items())
        if key not in self._known:
            if len(self._known) == _MOST_KNOWN:
                self._known.clear()
            self._known[key] = self._described(dict(values))
        return self._known[key]

    def survey(self, most: int) -> list[Architecture]:
        """Some of the space, each once, whatever was begun."""
        source = random.Random(f"{self.seed} survey")
        drawn = (self.describe(self.space.sample_values(source)) for _ in range(2 * most))
        return list({one.id: one for one in drawn}.values())[:most]

    def unseen(
        self, known: Container[str], near: Iterable[Values], limits: Mapping[str, float], draw: int
    ) -> list[Architecture]:
        """Those that might be begun: all of a small space, else random ones and neighbours, each once.

        Args:
            known: content hashes of what was begun.
            near: what neighbours are one knob away from.
            limits: on costs, by column; what is over one is left out.
            draw: counts the draws; the same gives the same.
        """
        source = random.Random(f"{self.seed} candidates {draw}")
        found: dict[str, Architecture] = {}
        for values in self._considered(source, near):
            one = self.describe(values)
            if one.id not in known and all(getattr(one.cost, name) <= limits[name] for name in limits):
                found.setdefault(one.id, one)
        return list(found.values())

    def _considered(self, source: random.Random, near: Iterable[Values]) -> Iterable[Values]:
        if self.space.size <= _ALL_OF:
            return self.space.all_values()
        chosen = islice(self._neighbours(source, near), _NEIGHBOURS)
        return [*chosen, *(self.space.sample_values(source) for _ in range(_DRAWN))]

    def _neighbours(self, source: random.Random, near: Iterable[Values]) -> Iterator[Values]:
        """Some permitted values that differ in one knob; what comes into effect by it takes its first value."""
        first = {name: domain.values[0] for name, domain in self.space.knobs.items()}
        changes = [
            (values, name, value) for values in near for name in values for value in self.space.knobs[name].values
        ]
        for values, name, value in source.sample(changes, min(2 * _NEIGHBOURS, len(changes))):
            own = self.space.in_effect(first | values | {name: value})
            if own != values and self.space.permits(own):
                yield own

    def _described(self, values: Values) -> Architecture:
        spec = self.space.spec(values)
        cost = count(spec)
        mean, sd = self._scale
        costs = (_log_costs(cost) - mean) / sd
        knobs = [part for name, domain in self.space.knobs.items() for part in _features(domain, values.get(name))]
        return Architecture(values, spec.id, cost, np.array([*knobs, *costs]), -float(costs.mean()))

    @cached_property
    def _scale(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation of log costs over the space."""
        source = random.Random(0)
        drawn = [_log_costs(count(self.space.spec(self.space.sample_values(source)))) for _ in range(_FOR_SCALE)]
        sd = np.std(drawn, axis=0)
        return np.mean(drawn, axis=0), np.where(sd > 0, sd, 1.0)


def _log_costs(cost: Cost) -> NDArray[np.float64]:
    return np.log([getattr(cost, name) for name in COSTS])


def _width(domain: Domain) -> int:
    return 1 if domain.ordered else len(domain.values)


def _features(domain: Domain, value: Value | None) -> list[float]:
    """A number of a range from -1 to 1; else one for each value, so that two different ones are 1 apart."""
    if domain.ordered:
        if value is None or len(domain.values) == 1:
            return [0.0]
        return [2 * domain.values.index(value) / (len(domain.values) - 1) - 1]
    return [(label(own) == label(value)) / 2**0.5 if value is not None else 0.0 for own in domain.values]
