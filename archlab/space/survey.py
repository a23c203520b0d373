"""What a space costs: the range of params and MACs over its architectures, and whether limits can be met."""

import random
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, median
from typing import NamedTuple

from archlab.architecture import UNetSpec
from archlab.cost import Cost, count
from archlab.errors import BadInput
from archlab.evaluation.measures import COSTS
from archlab.space.knobs import Value
from archlab.space.space import SearchSpace

_MOST_COUNTED = 2_000


class Range(NamedTuple):
    """Smallest, median and largest."""

    low: float
    middle: float
    high: float


class Survey(NamedTuple):
    """A space counted.

    Attributes:
        size: combinations of knob values.
        counted: how many of them were counted; all of them if ``exhaustive``, else a random sample together with a
            descent to the smallest.
        limits: resolved limits on costs.
        within: how many of the counted ones meet every limit on costs.
        middling: of those the one whose MACs are nearest to their mean.
    """

    size: int
    counted: int
    exhaustive: bool
    params_m: Range
    macs_g: Range
    limits: dict[str, float]
    within: int
    middling: UNetSpec


def survey(space: SearchSpace, limits: Mapping[str, float], seed: int = 0) -> Survey:
    """Count the space, or a sample of it where it is large.

    Args:
        limits: hard limits on params and MACs, by column.

    Raises:
        BadInput: no counted architecture meets the limits on params and MACs; says which limit and the smallest found.
    """
    exhaustive = space.size <= _MOST_COUNTED
    specs = list(_every(space) if exhaustive else _sampled(space, seed, limits))
    costs = [count(spec) for spec in specs]
    within = [
        (spec, cost)
        for spec, cost in zip(specs, costs, strict=True)
        if all(getattr(cost, name) <= limit for name, limit in limits.items())
    ]
    if not within:
        raise BadInput(_explain(limits, costs))
    ranges = {name: _range([getattr(cost, name) for cost in costs]) for name in COSTS}
    return Survey(
        size=space.size,
        counted=len(costs),
        exhaustive=exhaustive,
        params_m=ranges["params_m"],
        macs_g=ranges["macs_g"],
        limits=dict(limits),
        within=len(within),
        middling=middling(within),
    )


def middling(costed: Sequence[tuple[UNetSpec, Cost]]) -> UNetSpec:
    """The one whose MACs are nearest to the mean of all."""
    mean = fmean(cost.macs for _, cost in costed)
    return min(costed, key=lambda one: abs(one[1].macs - mean))[0]


def _every(space: SearchSpace) -> Iterator[UNetSpec]:
    return (space.spec(values) for values in space.all_values())


def _sampled(space: SearchSpace, seed: int, limits: Mapping[str, float]) -> Iterator[UNetSpec]:
    source = random.Random(seed)
    start = space.sample_values(source)
    yield space.spec(start)
    for _ in range(_MOST_COUNTED - 1):
        yield space.spec(space.sample_values(source))
    for name in COSTS:
        yield space.spec(_descend(space, start, {name: limits.get(name, 1.0)}))
    if limits:
        yield space.spec(_descend(space, start, limits))


def _descend(space: SearchSpace, values: dict[str, Value], limits: Mapping[str, float]) -> dict[str, Value]:
    """Change one knob at a time as long as the largest cost ÷ limit falls."""

    def excess(candidate: Mapping[str, Value]) -> float:
        cost = count(space.spec(candidate))
        return max(float(getattr(cost, name)) / limit for name, limit in limits.items())

    best, improved = excess(values), True
    while improved:
        improved = False
        for name, domain in space.knobs.items():
            for value in domain.values:
                candidate = space.in_effect(values | {name: value})
                if candidate != values and space.permits(candidate) and (found := excess(candidate)) < best:
                    values, best, improved = candidate, found, True
    return values


def _explain(limits: Mapping[str, float], costs: list[Cost]) -> str:
    for name, limit in limits.items():
        smallest = min(getattr(cost, name) for cost in costs)
        if smallest > limit:
            return f"constraints.{name}: nothing can meet {limit:.4g}; the smallest in this space is {smallest:.4g}"
    names = " and ".join(f"{name} ≤ {limit:.4g}" for name, limit in limits.items())
    return f"constraints: nothing in this space meets {names} together"


def _range(values: list[float]) -> Range:
    return Range(min(values), median(values), max(values))
