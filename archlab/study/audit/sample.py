"""The architectures of an audit: spread evenly over what those of a space cost."""

import math
import random
from collections.abc import Iterator

from scipy.stats import qmc

from archlab.analysis.audit.agreement import LEAST
from archlab.cost import count
from archlab.errors import BadInput
from archlab.space import Arm, SearchSpace
from archlab.space.knobs import Value
from archlab.space.plans import BASELINE
from archlab.study.definition import StudyDefinition
from archlab.study.limits import cost_limits

_MOST_DRAWN = 2_000


def stratified(definition: StudyDefinition, architectures: int) -> list[Arm]:
    """Distinct architectures at even quantiles of MACs, within the limits on costs; the first is the baseline, where
    the space contains it, whatever it costs.

    The quantiles follow van der Corput's sequence, so that fewer architectures are the first of more. They are of the
    whole space or, where it is large, of 2,000 draws seeded by ``search.seed``.

    Raises:
        BadInput: there, or asked for, are fewer than `LEAST`.
    """
    if architectures < LEAST:
        raise BadInput(f"--architectures: {LEAST} are the least that tell an order from chance, not {architectures}")
    space = definition.space
    values = {space.spec(drawn).id: drawn for drawn in _drawn(space, definition.settings.search.seed)}
    if (own := space.find_baseline()) is not None:
        values[space.baseline.id] = own
    chosen = [Arm(BASELINE, values.pop(space.baseline.id))] if space.baseline.id in values else []
    limits, costs = cost_limits(definition), {}
    for identity, known in values.items():
        cost = count(space.spec(known))
        if all(getattr(cost, name) <= limit for name, limit in limits.items()):
            costs[identity] = cost.macs
    if len(costs) + len(chosen) < LEAST:
        raise BadInput(
            f"audit: the space has {len(costs) + len(chosen)} different architectures within its limits on costs; "
            f"{LEAST} are the least that tell an order from chance"
        )
    by_cost = sorted(costs, key=lambda identity: (costs[identity], identity))
    quantiles = [by_cost[place] for place in _spread(len(by_cost))]
    return [*chosen, *(Arm(identity, values[identity]) for identity in quantiles[: architectures - len(chosen)])]


def _drawn(space: SearchSpace, seed: int) -> Iterator[dict[str, Value]]:
    if space.size <= _MOST_DRAWN:
        return space.all_values()
    source = random.Random(seed)
    return (space.sample_values(source) for _ in range(_MOST_DRAWN))


def _spread(places: int) -> list[int]:
    """The numbers below ``places``, the first of them spread over all: 0, half, a quarter, three quarters, …"""
    points = qmc.Halton(d=1, scramble=False).random(2 ** math.ceil(math.log2(places)))
    return list(dict.fromkeys((points[:, 0] * places).astype(int).tolist()))
