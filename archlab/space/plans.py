"""Plans: the arms that a study evaluates when it does not search, and which of them make pairs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from archlab.cost import count
from archlab.document import BadPlace
from archlab.errors import BadInput, shown
from archlab.space.factorial import Resolution, two_level_design
from archlab.space.knobs import Value, label
from archlab.space.ladder import LadderStep, ladder_values
from archlab.space.space import SearchSpace

BASELINE = "baseline"
FULL_CHANGE = "the full change"

_MOST_ARMS = 100_000
_CHANGE = ("search", "change")


class Arm(NamedTuple):
    """One named set of knob values, those in effect."""

    name: str
    values: dict[str, Value]


class Dropped(NamedTuple):
    """An arm that is left out of the plan, with the reason."""

    name: str
    why: str


class Contrast(NamedTuple):
    """Two arms of a plan that differ by one change."""

    change: str
    before: Arm
    after: Arm


class Plan(NamedTuple):
    """Arms in the order of evaluation, the pairs that tell the effect of a change, and what was left out."""

    arms: list[Arm]
    contrasts: list[Contrast]
    dropped: list[Dropped]


class ArmCost(NamedTuple):
    """What an arm costs; changes are shares of the baseline's, None for itself."""

    arm: str
    params_m: float
    macs_g: float
    params_change: float | None
    macs_change: float | None


@dataclass(frozen=True, kw_only=True)
class Design:
    """How the arms of a plan follow from a space.

    Attributes:
        strategy: ``grid``, ``ablate``, ``leave_one_out``, ``ladder`` or ``factorial``; any other is a search.
        change: the whole change whose parts ``leave_one_out`` and ``factorial`` are about, by knob; see `full_change`.
        resolution: of a factorial design.
        ladder: the steps of a ladder.
    """

    strategy: str
    change: Mapping[str, Any] = field(default_factory=dict)
    resolution: Resolution = "full"
    ladder: Sequence[LadderStep] = ()


def lay_out(space: SearchSpace, design: Design) -> Plan:
    """The plan of a design for a space; one without arms for a search.

    An arm that ``require`` excludes, whose knob is not in effect, or that builds the same network as another is dropped
    from ``ablate`` and ``leave_one_out``; a ladder or a factorial design would be another one without it.

    Raises:
        BadPlace: the plan cannot be made: a knob lacks the baseline's value, ``require`` excludes an arm that it cannot
            do without, nothing is changed, or there are too many arms.
    """
    match design.strategy:
        case "grid":
            return _grid(space)
        case "ablate":
            return _ablate(space)
        case "leave_one_out":
            return _leave_one_out(space, design)
        case "ladder":
            return _ladder(space, design)
        case "factorial":
            return _factorial(space, design)
        case _:
            return Plan([], [], [])


def arm_costs(space: SearchSpace, arms: Sequence[Arm]) -> list[ArmCost]:
    """Every arm, counted by formula."""
    baseline = count(space.baseline)
    rows = []
    for name, values in arms:
        cost = count(space.spec(values))
        shares = (cost.params / baseline.params - 1, cost.macs / baseline.macs - 1)
        rows.append(ArmCost(name, cost.params_m, cost.macs_g, *((None, None) if name == BASELINE else shares)))
    return rows


def full_change(space: SearchSpace, change: Mapping[str, Any]) -> dict[str, Value]:
    """What ``leave_one_out`` and ``factorial`` change, by knob: what ``change`` says and, of a knob that it does not
    name, the last of its values that is not the baseline's. A knob that keeps the baseline's value is not in it.

    Raises:
        BadPlace: ``search.change`` names what the space does not have, or nothing is changed.
    """
    named: dict[str, Value] = {}
    for name, value in change.items():
        try:
            named |= space.find({name: value})
        except BadInput as error:
            raise BadPlace([*_CHANGE, name], str(error), at_key=name not in space.knobs) from None
    whole = {}
    for name, domain in space.knobs.items():
        others = [value for value in domain.values if label(value) != space.baseline_values[name]]
        value = named[name] if name in named else others[-1] if others else None
        if value is not None and value in others:
            whole[name] = value
    if not whole:
        raise BadPlace(_CHANGE, "nothing is changed; give a knob a value that is not the baseline's")
    return whole


class _Draft:
    """A plan being made."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.plan = Plan([], [], [])
        self.start = _start(space)
        self._names: dict[str, str] = {}
        self.baseline = self.add(BASELINE, self.start)

    def obstacle(self, values: dict[str, Value], knob: str = "") -> str:
        """Why there can be no arm with these values, which are about ``knob``; empty where there can."""
        active = self.space.in_effect(values)
        if knob and knob not in active:
            return f"{knob} is in effect only {_condition(self.space, knob)}"
        if not self.space.permits(active):
            return "require excludes it"
        twin = self._names.get(self.space.spec(values).id)
        return f"it builds the same network as {twin}" if twin else ""

    def add(self, name: str, values: dict[str, Value]) -> Arm:
        """One more arm."""
        arm = Arm(name, self.space.in_effect(values))
        self._names.setdefault(self.space.spec(arm.values).id, name)
        self.plan.arms.append(arm)
        return arm

    def add_or_drop(self, name: str, values: dict[str, Value], knob: str) -> Arm | None:
        """The arm; None if it was dropped with its reason."""
        if why := self.obstacle(values, knob):
            self.plan.dropped.append(Dropped(name, why))
            return None
        return self.add(name, values)

    def compare(self, change: str, before: Arm, after: Arm) -> None:
        self.plan.contrasts.append(Contrast(change, before, after))


def _grid(space: SearchSpace) -> Plan:
    if space.size > _MOST_ARMS:
        message = f"a grid of {space.size:,} architectures; take fewer values, or a search"
        raise BadPlace(["search", "strategy"], message)
    arms = []
    for values in space.all_values():
        chosen = [_named(name, value) for name, value in values.items() if label(value) != space.baseline_values[name]]
        arms.append(Arm(", ".join(chosen) or BASELINE, values))
    return Plan(arms, [], [])


def _ablate(space: SearchSpace) -> Plan:
    """One knob at a time, from the baseline."""
    draft = _Draft(space)
    for name, domain in space.knobs.items():
        for value in domain.values:
            if label(value) != space.baseline_values[name]:
                change = _named(name, value)
                if arm := draft.add_or_drop(change, draft.start | {name: value}, name):
                    draft.compare(change, draft.baseline, arm)
    return draft.plan


def _leave_one_out(space: SearchSpace, design: Design) -> Plan:
    """The full change, and the same with each knob back at the baseline's value: what the change adds to the others."""
    draft, change = _Draft(space), full_change(space, design.change)
    whole = draft.start | change
    if why := draft.obstacle(whole):
        raise BadPlace(_CHANGE, f"there can be no full change: {why}")
    full = draft.add(FULL_CHANGE, whole)
    draft.compare(FULL_CHANGE, draft.baseline, full)
    for name, value in change.items():
        without = f"without {name}"
        if name not in full.values:
            draft.plan.dropped.append(Dropped(without, f"{name} is in effect only {_condition(space, name)}"))
        elif arm := draft.add_or_drop(without, whole | {name: draft.start[name]}, name):
            draft.compare(_named(name, value), arm, full)
    return draft.plan


def _ladder(space: SearchSpace, design: Design) -> Plan:
    """Every step on top of those before."""
    draft = _Draft(space)
    last = draft.baseline
    for index, step in enumerate(design.ladder):
        try:
            values = ladder_values(space, design.ladder[: index + 1])
        except BadInput as error:
            raise BadPlace(["ladder", index, "values"], str(error)) from None
        if step.step in {arm.name for arm in draft.plan.arms}:
            message = f"{shown(step.step)} is there twice; give each step a name of its own"
            raise BadPlace(["ladder", index, "step"], message)
        if why := draft.obstacle(values):
            raise BadPlace(["ladder", index], f"step {shown(step.step)}: {why}; leave it out")
        arm = draft.add(step.step, values)
        draft.compare(step.step, last, arm)
        last = arm
    return draft.plan


def _factorial(space: SearchSpace, design: Design) -> Plan:
    """Every knob of the change, or of each run of a fraction, at the baseline's value (low) or the change's (high)."""
    draft, change = _Draft(space), full_change(space, design.change)
    try:
        runs = two_level_design(len(change), design.resolution)
    except BadInput as error:
        raise BadPlace(["search", "resolution"], str(error)) from None
    for run in runs[1:]:
        high = {name: value for level, (name, value) in zip(run, change.items(), strict=True) if level > 0}
        name = " + ".join(high) if len(high) < len(change) else FULL_CHANGE
        values = draft.start | high
        idle = next((knob for knob in change if knob not in space.in_effect(values)), "")
        why = f"{idle} is in effect only {_condition(space, idle)}" if idle else draft.obstacle(values)
        if why:
            raise BadPlace(
                _CHANGE,
                f"a factorial plan needs every combination, and there can be no {shown(name)}: {why}; "
                "keep a knob at the baseline's value",
            )
        draft.add(name, values)
    return draft.plan


def _start(space: SearchSpace) -> dict[str, Value]:
    """The baseline's own value of every knob.

    Raises:
        BadPlace: the space does not have it, or ``require`` excludes the baseline.
    """
    start = {}
    for name, domain in space.knobs.items():
        own = space.baseline_values[name]
        if own is None:
            message = "no single value describes the baseline, where the plan starts; leave it out"
            raise BadPlace(["knobs", name], message)
        try:
            start[name] = domain.find(own)
        except BadInput:
            shown = f"{own:g}" if isinstance(own, float) else own
            raise BadPlace(["knobs", name], f"the plan starts from the baseline; add its value, {shown}") from None
    if not space.permits(space.in_effect(start)):
        raise BadPlace(["require"], "it excludes the baseline, where the plan starts")
    return start


def _named(name: str, value: Value) -> str:
    return f"{name} = {label(value)}"


def _condition(space: SearchSpace, name: str) -> str:
    """``where conv is standard``"""
    parts = [
        f"{other} is {' or '.join(str(label(value)) for value in wanted)}"
        for other, wanted in space.knobs[name].when.items()
    ]
    return "where " + " and ".join(parts)
