"""The values a knob may take in a search space, and when it is active."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from archlab.architecture import UNetSpec
from archlab.document import Place
from archlab.errors import BadInput, nearest, shown
from archlab.section import Source
from archlab.space.knobs import KNOBS, Knob, Value, label

_MOST_VALUES = 1000


@dataclass(frozen=True)
class Domain:
    """One knob of a space.

    Attributes:
        values: all of them; rising where ``ordered``.
        ordered: given as a range, so that samplers may use the order.
        when: the knob is active only if each of these knobs is active with one of these values.
    """

    knob: Knob
    values: tuple[Value, ...]
    ordered: bool = False
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)

    @property
    def numbers(self) -> tuple[int | float, ...]:
        """The values of a range, rising."""
        return tuple(value for value in self.values if isinstance(value, (int, float)))

    def find(self, value: Any) -> Value:
        """The value of this domain that is or is labelled ``value``.

        Raises:
            BadInput: there is none.
        """
        wanted = canonical(value)
        for own in self.values:
            if wanted in (own, label(own)):
                return own
        labels = {str(label(own)) for own in self.values}
        raise BadInput(f"{self.knob.name} has no value {shown(value)}{nearest(str(label(wanted)), labels)}")


def canonical(value: Any) -> Any:
    """Lists as tuples, so that values can be compared and hashed."""
    return tuple(canonical(item) for item in value) if isinstance(value, (list, tuple)) else value


def read_domains(source: Source, raw: Mapping[str, Any], baseline: UNetSpec) -> dict[str, Domain]:
    """The ``knobs`` section of a space, in the registry's order.

    Raises:
        BadInput: with the line, for an unknown knob, a value the baseline cannot take, a condition on a knob that is
            not there or on a value it never has, or conditions in a circle.
    """
    if not raw:
        raise source.error(["knobs"], "at least one knob is needed")
    for name in raw:
        if name not in KNOBS:
            raise source.error(["knobs", name], f"unknown knob{nearest(str(name), KNOBS)}", at_key=True)
    domains = {name: _read_domain(source, KNOBS[name], raw[name], baseline) for name in KNOBS if name in raw}
    conditions = {name: _read_when(source, name, raw[name], domains) for name in domains}
    _refuse_circles(source, conditions)
    return {
        name: Domain(domain.knob, domain.values, domain.ordered, conditions[name]) for name, domain in domains.items()
    }


def _read_domain(source: Source, knob: Knob, raw: Any, baseline: UNetSpec) -> Domain:
    place: list[str | int] = ["knobs", knob.name]
    form = "takes a list of values, {choices: [...]} or {low, high, step}"
    ordered = False
    if isinstance(raw, dict):
        valid = {"choices", "when"} if "choices" in raw else {"low", "high", "step", "when"}
        for key in raw:
            if key not in valid:
                raise source.error([*place, key], f"unknown key{nearest(str(key), valid)}", at_key=True)
        if "choices" in raw:
            place.append("choices")
            values = raw["choices"]
        else:
            values, ordered = _range(source, place, raw), True
    else:
        values = raw
    if not isinstance(values, (list, tuple)) or not values:
        raise source.error(place, form)
    for index, value in enumerate(values):
        try:
            knob.apply(baseline, value)
        except BadInput as error:
            raise source.error(place if ordered else [*place, index], str(error)) from None
    domain = tuple(canonical(value) for value in values)
    for index, value in enumerate(domain):
        if value in domain[:index]:
            raise source.error([*place, index], f"{shown(label(value))} is there twice")
    return Domain(knob, domain, ordered)


def _range(source: Source, place: Place, raw: Mapping[str, Any]) -> list[Value]:
    for key in ("low", "high"):
        if key not in raw:
            raise source.error(place, f"a range needs low and high; {key} is missing")
    low, high, step = raw["low"], raw["high"], raw.get("step", 1)
    for key, value in (("low", low), ("high", high), ("step", step)):
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
            raise source.error([*place, key], f"must be a number, not {shown(value)}")
    if step <= 0:
        raise source.error([*place, "step"], f"must be positive but is {step}")
    if high < low:
        raise source.error([*place, "high"], f"{high} is below low, {low}")
    if (high - low) / step >= _MOST_VALUES:
        raise source.error(place, f"more than {_MOST_VALUES} values; take a larger step")
    steps = round((high - low) / step)
    if abs(low + steps * step - high) > 1e-9 * max(1, abs(high)):
        raise source.error([*place, "high"], f"{high} is not low {low} plus a whole number of steps of {step}")
    return [round(low + index * step, 10) for index in range(steps + 1)]


def _read_when(source: Source, name: str, raw: Any, domains: Mapping[str, Domain]) -> dict[str, tuple[Value, ...]]:
    if not isinstance(raw, dict) or "when" not in raw:
        return {}
    place = ["knobs", name, "when"]
    if not isinstance(raw["when"], dict) or not raw["when"]:
        raise source.error(place, "takes {other_knob: value} or {other_knob: [values]}")
    conditions: dict[str, tuple[Value, ...]] = {}
    for other, wanted in raw["when"].items():
        if other not in domains:
            message = f"a condition on {shown(other)}, which is not a knob of this space{nearest(str(other), domains)}"
            raise source.error([*place, other], message, at_key=True)
        if wanted == []:
            raise source.error([*place, other], "no value would make it active; name one or more")
        several = isinstance(wanted, list) and canonical(wanted) not in domains[other].values
        try:
            conditions[other] = tuple(domains[other].find(value) for value in (wanted if several else [wanted]))
        except BadInput as error:
            raise source.error([*place, other], str(error)) from None
    return conditions


def _refuse_circles(source: Source, conditions: Mapping[str, Mapping[str, Any]]) -> None:
    settled: set[str] = set()
    while len(settled) < len(conditions):
        ready = {name for name, when in conditions.items() if name not in settled and settled.issuperset(when)}
        if not ready:
            stuck = next(name for name in conditions if name not in settled)
            raise source.error(["knobs", stuck, "when"], "the conditions go in a circle")
        settled |= ready
