"""Hard limits by column, shares of the baseline resolved."""

from collections.abc import Mapping

from archlab.cost import count
from archlab.evaluation.evaluation import device_cells
from archlab.evaluation.latency import AnyLatency
from archlab.evaluation.measures import COSTS
from archlab.study.definition import StudyDefinition
from archlab.study.settings import Share


def cost_limits(definition: StudyDefinition) -> dict[str, float]:
    """Those on params and MACs: what they are a share of is counted."""
    limits = hard_limits(definition, {})
    return {name: limits[name] for name in COSTS if name in limits}


def hard_limits(definition: StudyDefinition, latency: Mapping[str, AnyLatency]) -> dict[str, float]:
    """Every limit; without a share of something that was not measured.

    Args:
        latency: the baseline's, by the name of the device.
    """
    cost = count(definition.space.baseline)
    known = {name: getattr(cost, name) for name in COSTS} | device_cells(latency)
    limits = {}
    for column, limit in definition.settings.limits.items():
        if not isinstance(limit, Share):
            limits[column] = float(limit)
        elif (whole := known.get(column)) is not None:
            limits[column] = limit.of_baseline * whole
    return limits
