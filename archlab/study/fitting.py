"""Whether the trials of an earlier space belong to a changed one."""

from collections.abc import Mapping
from typing import Any

from archlab.errors import BadInput
from archlab.space import SearchSpace
from archlab.space.knobs import Value
from archlab.space.settings import Share
from archlab.space.survey import cost_limits
from archlab.study.record import Record, by_device, latency_cells


def fits(space: SearchSpace, record: Record, limits: Mapping[str, float]) -> bool:
    """Whether the space would have asked for the trial's architecture and come to the same verdict."""
    evaluation = record.evaluation
    if evaluation.gate == "require" or fitting_values(space, record) is None:
        return False
    cells = evaluation.cells()
    over = {name for name, limit in limits.items() if cells.get(name) is not None and cells[name] > limit}
    return evaluation.gate in over if evaluation.gate else not over


def fitting_values(space: SearchSpace, record: Record) -> dict[str, Value] | None:
    """Values in effect for the trial's architecture; None where the space has none, or ``require`` excludes them."""
    found = {}
    for name, domain in space.knobs.items():
        try:
            found[name] = domain.find(record.knobs.get(name, space.baseline_values[name]))
        except BadInput:
            continue
    values = space.in_effect(found)
    is_whole = not any(
        all(values.get(other) in wanted for other, wanted in domain.when.items())
        for name, domain in space.knobs.items()
        if name not in values
    )
    if not is_whole or not space.permits(values) or space.spec(values).id != record.architecture:
        return None
    return values


def hard_limits(space: SearchSpace, baseline: Mapping[str, Any]) -> dict[str, float]:
    """Every hard limit by column, shares of the baseline resolved by what ``baseline.json`` says of its latency."""
    limits = cost_limits(space)
    latency = latency_cells(by_device(baseline.get("latency")))
    for column, limit in space.settings.latency_limits.items():
        if not isinstance(limit, Share):
            limits[column] = limit
        elif latency.get(column) is not None:
            limits[column] = limit.of_baseline * latency[column]
    return limits
