"""A search space: a baseline, knobs with their values, conditions and requirements."""

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

from archlab.architecture import UNetSpec
from archlab.errors import BadInput, nearest, shown
from archlab.space.attributes import with_attributes
from archlab.space.domain import Domain
from archlab.space.knobs import Value, label
from archlab.space.requirement import Requirement

_MOST_DRAWS = 10_000
_MOST_ENUMERATED = 200_000
MOST_STRUCTURES = 1024


@dataclass(frozen=True)
class SearchSpace:
    """What may be searched: a baseline, knobs and requirements.

    Attributes:
        name: the study's name unless another is given; the YAML's file name.
        baseline: the target network that the knobs change.
        knobs: in the order of application.
    """

    name: str
    baseline: UNetSpec
    knobs: Mapping[str, Domain]
    requirements: tuple[Requirement, ...] = ()

    def spec(self, values: Mapping[str, Any]) -> UNetSpec:
        """The architecture with these knob values (or their labels); absent and inactive knobs are the baseline's.

        Raises:
            BadInput: an unknown knob, or a value that the space does not have.
        """
        return self._build(self.in_effect(self.find(values)))

    def find(self, values: Mapping[str, Any]) -> dict[str, Value]:
        """The space's own values for these values or their labels.

        Raises:
            BadInput: an unknown knob, or a value that the space does not have.
        """
        for name in values:
            if name not in self.knobs:
                raise BadInput(f"{shown(name)} is not a knob of this space{nearest(name, self.knobs)}")
        return {name: self.knobs[name].find(value) for name, value in values.items()}

    def changed(self, knob: str, value: Value) -> UNetSpec:
        """The baseline with one knob set, also where a condition or requirement would not have it so.

        Raises:
            BadInput: the knob cannot take the value on the baseline itself.
        """
        return self._build({knob: value})

    def find_baseline(self) -> dict[str, Value] | None:
        """The values in effect that make the baseline itself; None where the space does not contain it."""
        wanted = {name: value for name, value in self.baseline_values.items() if value is not None}
        try:
            values = self.in_effect(self.find(wanted))
        except BadInput:
            return None
        return values if self.permits(values) and self._build(values) == self.baseline else None

    def sample(self, seed: int) -> UNetSpec:
        """A random architecture of the space; the same seed gives the same one."""
        return self._build(self.sample_values(random.Random(seed)))

    def sample_values(self, source: random.Random) -> dict[str, Value]:
        """Random values of the active knobs that meet the requirements.

        Raises:
            BadInput: thousands of draws met none.
        """
        for _ in range(_MOST_DRAWS):
            values = self._draw(source)
            if self.permits(values):
                return values
        raise BadInput(f"require: {_MOST_DRAWS} random architectures met none; the expressions exclude each other")

    def in_effect(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """Those of ``values`` whose knobs are active, in the order of application."""
        active: dict[str, bool] = {}

        def is_active(name: str) -> bool:
            if name not in active:
                active[name] = name in values and all(
                    is_active(other) and values[other] in wanted for other, wanted in self.knobs[name].when.items()
                )
            return active[name]

        return {name: values[name] for name in self.knobs if is_active(name)}

    def permits(self, values: Mapping[str, Value]) -> bool:
        """Whether values in effect meet every requirement; an inactive knob has the baseline's value."""
        if not self.requirements:
            return True
        known: dict[str, Value | None] = {**self._baseline_choices, **values}
        as_lists = {name: list(value) if isinstance(value, tuple) else value for name, value in known.items()}
        return all(requirement.holds(as_lists) for requirement in self.requirements)

    @cached_property
    def baseline_values(self) -> dict[str, str | int | float | None]:
        """The baseline's own value of every knob of the space, as a label; None where no single one describes it."""
        return {name: label(value) for name, value in self._baseline_choices.items()}

    @cached_property
    def _baseline_choices(self) -> dict[str, Value | None]:
        return {name: domain.knob.read(self.baseline) for name, domain in self.knobs.items()}

    @cached_property
    def size(self) -> int:
        """How many combinations of knob values in effect meet the requirements.

        Only knobs that conditions or requirements speak of are enumerated; the others multiply. Where even those have
        more than 200,000 combinations, the share that the requirements leave is estimated from a sample.
        """
        named = {other for domain in self.knobs.values() for other in domain.when}
        named |= {name for requirement in self.requirements for name in requirement.names}
        while parents := {other for name in named for other in self.knobs[name].when} - named:
            named |= parents
        free = [name for name in self.knobs if name not in named]
        bound = [name for name in self.knobs if name in named]
        drawn = math.prod(len(self.knobs[name].values) for name in bound)
        if drawn > _MOST_ENUMERATED:
            source = random.Random(0)
            permitted = sum(self.permits(self._draw(source)) for _ in range(_MOST_DRAWS))
            return round(permitted / _MOST_DRAWS * drawn * math.prod(len(self.knobs[name].values) for name in free))
        return sum(
            math.prod(len(self.knobs[name].values) for name in free if self._is_open(name, values))
            for values in self._combinations(bound)
        )

    def all_values(self) -> Iterator[dict[str, Value]]:
        """Every combination that `size` counts."""
        return self._combinations(list(self.knobs))

    def _combinations(self, names: list[str]) -> Iterator[dict[str, Value]]:
        """Distinct permitted combinations in effect of some knobs that depend on no others."""
        seen = set()
        for drawn in product(*(self.knobs[name].values for name in names)):
            values = self.in_effect(dict(zip(names, drawn, strict=True)))
            key = tuple(values.items())
            if key not in seen:
                seen.add(key)
                if self.permits(values):
                    yield values

    def _draw(self, source: random.Random) -> dict[str, Value]:
        return self.in_effect({name: source.choice(domain.values) for name, domain in self.knobs.items()})

    def _is_open(self, name: str, values: Mapping[str, Value]) -> bool:
        return all(values.get(other) in wanted for other, wanted in self.knobs[name].when.items())

    def _build(self, values: Mapping[str, Value]) -> UNetSpec:
        """The structure, which many specs of a space share; then all attributes in one pass."""
        spec = self._structure({n: value for n, value in values.items() if self.knobs[n].knob.attributes is None})
        chosen: list[dict[str, Any]] = [{} for _ in range(len(spec.stages) + 1)]
        for name, value in values.items():
            if attributes := self.knobs[name].knob.attributes:
                for place, more in zip(chosen, attributes(len(spec.stages), value), strict=True):
                    place.update(more)
        return with_attributes(spec, chosen)

    def _structure(self, values: Mapping[str, Value]) -> UNetSpec:
        key = tuple(values.items())
        if key not in self._structures:
            if len(self._structures) == MOST_STRUCTURES:
                self._structures.clear()
            spec = self.baseline
            for name, value in values.items():
                spec = self.knobs[name].knob.apply(spec, value)
            self._structures[key] = spec
        return self._structures[key]

    @cached_property
    def _structures(self) -> dict[tuple[tuple[str, Value], ...], UNetSpec]:
        """Specs before attributes, by the values of the other knobs."""
        return {}
