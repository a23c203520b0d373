"""A ladder: changes made one on top of the other, in the order in which a paper tells them."""

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from archlab.cost import Cost, count
from archlab.errors import BadInput
from archlab.section import Section
from archlab.space.knobs import Value
from archlab.space.space import SearchSpace


class LadderStep(Section):
    """Knob values set on top of those of the steps before."""

    step: str
    values: Annotated[dict[str, Any], Field(min_length=1)]
    reported: str = ""  # what a paper says of it


class StepCost(NamedTuple):
    """What one step does to the cost.

    Attributes:
        params_m, macs_g: after the step.
        params_change, macs_change: against the step before, as a share of that; None for the baseline.
        params_change_last, macs_change_last: the same if this step were made after all others.
        reported: what the paper says, in its words.
    """

    step: str
    params_m: float
    macs_g: float
    params_change: float | None
    macs_change: float | None
    params_change_last: float | None
    macs_change_last: float | None
    reported: str


def ladder_values(space: SearchSpace, steps: Sequence[LadderStep], without: int | None = None) -> dict[str, Value]:
    """Knob values after all these steps, the step with index ``without`` left out.

    Raises:
        BadInput: the space lacks a step's knob or value, or the baseline's own; or ``require`` excludes the result.
    """
    chosen: dict[str, Any] = dict(space.baseline_values)
    for index, step in enumerate(steps):
        if index != without:
            chosen |= step.values
    values = space.in_effect(space.find(chosen))
    if without is None and not space.permits(values):
        raise BadInput("require excludes the architecture that this step makes")
    return values


def ladder_costs(space: SearchSpace, ladder: Sequence[LadderStep]) -> list[StepCost]:
    """The baseline and every step, with what each changes."""
    costs = [count(space.spec(ladder_values(space, ladder[:steps]))) for steps in range(len(ladder) + 1)]
    rows = [StepCost("baseline", costs[0].params_m, costs[0].macs_g, None, None, None, None, "")]
    for index, step in enumerate(ladder):
        before, after = costs[index], costs[index + 1]
        others = count(space.spec(ladder_values(space, ladder, without=index)))
        rows.append(
            StepCost(
                step.step,
                after.params_m,
                after.macs_g,
                *_change(before, after),
                *_change(others, costs[-1]),
                step.reported,
            )
        )
    return rows


def _change(before: Cost, after: Cost) -> tuple[float, float]:
    return after.params / before.params - 1, after.macs / before.macs - 1
