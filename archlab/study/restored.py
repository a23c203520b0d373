"""The search space of a study on disk."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from archlab.architecture import UNetSpec, from_dict
from archlab.errors import BadInput
from archlab.space import KNOBS, Domain, Knob, SearchSpace
from archlab.space.domain import canonical
from archlab.space.knobs import Value
from archlab.space.requirement import Requirement
from archlab.space.settings import SpaceFile


def restored_space(settings: Mapping[str, Any]) -> SearchSpace:
    """The space that ``study.yaml`` holds resolved; its labels of knob values are read back as values.

    Raises:
        BadInput: somebody damaged it.
    """
    try:
        baseline = from_dict(settings["baseline_architecture"])
        read = SpaceFile.model_validate({key: settings[key] for key in SpaceFile.model_fields if key in settings})
        domains = {
            name: Domain(KNOBS[name], _values(KNOBS[name], entry["values"], baseline), entry.get("range", False))
            for name, entry in settings["knobs"].items()
        }
        knobs = {
            name: Domain(
                domain.knob,
                domain.values,
                domain.ordered,
                {
                    other: tuple(domains[other].find(value) for value in wanted)
                    for other, wanted in settings["knobs"][name].get("when", {}).items()
                },
            )
            for name, domain in domains.items()
        }
        requirements = tuple(Requirement(text, tuple(knobs)) for text in read.require)
    except (KeyError, TypeError, AttributeError, ValidationError, BadInput) as error:
        lines = str(error).splitlines()
        raise BadInput(f"study.yaml: damaged: {lines[0] if lines else type(error).__name__}; restore it") from None
    return SearchSpace(str(settings.get("name", "")), baseline, knobs, requirements, read)


def _values(knob: Knob, labels: list[Any], baseline: UNetSpec) -> tuple[Value, ...]:
    return tuple(_value(knob, shown, baseline) for shown in labels)


def _value(knob: Knob, shown: Any, baseline: UNetSpec) -> Value:
    """``0 1 1 0 4`` is the label of a list unless the knob takes it as it is."""
    try:
        knob.apply(baseline, shown)
    except BadInput:
        parts = [int(part) if part.isdigit() else part for part in str(shown).split()]
        knob.apply(baseline, parts)
        return tuple(parts)
    value: Value = canonical(shown)
    return value
