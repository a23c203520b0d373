"""Settings that are written in several places, the later over the earlier: a study, a file, options, ``--set``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, Protocol, get_origin

import yaml
from pydantic import BaseModel

from archlab.document import Document, Place
from archlab.errors import BadInput, nearest, one_line, shown
from archlab.section import Section, SectionT, read_section, section_at, valid_keys, with_paths
from archlab.yaml12 import Loader


class Layer(Protocol):
    """Settings in one place; a `archlab.document.Document` is one, too."""

    @property
    def data(self) -> Mapping[str, Any]: ...

    def error(self, place: Place, message: str, *, at_key: bool = False) -> BadInput:
        """The error to raise about what stands at ``place``."""

    def folder(self, place: Place) -> Path:
        """What a path that stands at ``place`` is relative to."""


@dataclass(frozen=True)
class Written:
    """Settings that are in no file.

    Attributes:
        where: what the user wrote for a place, like ``--batch-size``.
    """

    data: Mapping[str, Any]
    where: Callable[[Place], str]

    def error(self, place: Place, message: str, *, at_key: bool = False) -> BadInput:
        """See `Layer`."""
        return BadInput(f"{self.where(place)}: {message}")

    def folder(self, place: Place) -> Path:
        """See `Layer`: of the working directory."""
        return Path()


@dataclass(frozen=True)
class Layers:
    """All of them as one, the later over the earlier, key by key; a `Layer`, too.

    An error is raised by the last layer that has the place, or by ``otherwise``.
    """

    layers: Sequence[Layer]
    otherwise: Layer

    @property
    def data(self) -> dict[str, Any]:
        """What they say together."""
        return reduce(_over, (layer.data for layer in self.layers), {})

    def error(self, place: Place, message: str, *, at_key: bool = False) -> BadInput:
        """See `Layer`."""
        return self._of(place).error(place, message, at_key=at_key)

    def folder(self, place: Place) -> Path:
        """See `Layer`."""
        return self._of(place).folder(place)

    def _of(self, place: Place) -> Layer:
        whole = (layer for layer in reversed(self.layers) if place and _depth(layer.data, place) == len(place))
        if (latest := next(whole, None)) is not None:
            return latest
        return max((self.otherwise, *reversed(self.layers)), key=lambda layer: _depth(layer.data, place))


def read_layers(section: type[SectionT], layers: Sequence[Layer], otherwise: Layer) -> SectionT:
    """The section that the layers describe together, the later over the earlier, key by key; its paths are relative to
    the working directory.

    Args:
        otherwise: the layer that names what none has.

    Raises:
        BadInput: one line with the place where it was written, what is wrong and what would be right.
    """
    whole = Layers(layers, otherwise)
    return with_paths(read_section(section, whole.data, whole), [], whole)


def read_settings(
    section: type[SectionT], form: str, config: Path | None, options: Mapping[str, Any], assignments: Sequence[str]
) -> SectionT:
    """The settings of a command: a YAML, over it options, over them ``--set``.

    Args:
        form: what the YAML looks like, for an error's message.
        options: by key; None where an option was not given.
        assignments: ``key=value``.

    Raises:
        BadInput: one line that names the option, or file, line and column.
    """
    given = Written({key: value for key, value in options.items() if value is not None}, _option)
    layers: list[Layer] = [] if config is None else [Document(config, form)]
    layers += [given, *(assignment(section, each) for each in assignments)]
    return read_layers(section, layers, given)


def _option(place: Place) -> str:
    return f"--{str(place[-1]).replace('_', '-')}" if place else "options"


def assignment(section: type[Section], given: str) -> Written:
    """What ``--set key=value`` writes; ``key`` with or without the package that owns it: ``training.ema_decay``.

    Raises:
        BadInput: the section has no such key, or the value is not YAML.
    """
    key, sign, text = given.partition("=")
    if not sign:
        raise BadInput(f"--set {shown(given)}: must be key=value")
    place = _place(section, key.strip())
    try:
        value = Loader(text).get_single_data()
    except yaml.YAMLError as error:
        problem = error.problem if isinstance(error, yaml.MarkedYAMLError) else str(error)
        raise BadInput(f"--set {key}: {shown(text)} is not YAML: {one_line(problem or '')}") from None
    data: Any = value
    for part in reversed(place):
        data = {part: data}
    return Written(data, lambda _: f"--set {key.strip()}")


def _place(section: type[Section], key: str) -> list[str]:
    """The place of a key, its package taken off."""
    first, *rest = key.split(".")
    if rest and _owner(section, rest[0]) == first:
        first, *rest = rest
    place = [first, *rest]
    for depth, part in enumerate(place):
        if depth and _takes_any_key(section, place[:depth]):
            break
        if part not in valid_keys(section, place[:depth]) or (depth and not _is_section(section, place[:depth])):
            raise BadInput(f"--set {shown(key)}: unknown key{nearest(key, _keys(section, dotted='.' in key))}")
    return place


def _keys(section: type[BaseModel], *, dotted: bool) -> list[str]:
    """Every key that may be set: alone, or below its package or section."""
    fields = list(section.model_fields)
    if not dotted:
        return fields
    below = [f"{name}.{key}" for name in fields if _is_section(section, [name]) for key in valid_keys(section, [name])]
    return [*below, *(f"{owner}.{name}" for name in fields if (owner := _owner(section, name)))]


def _owner(section: type[BaseModel], key: str) -> str | None:
    """The package whose section has the key: ``training`` of ``ema_decay``."""
    owner = next((base for base in reversed(section.__mro__) if key in getattr(base, "__annotations__", {})), None)
    return None if owner is None else owner.__module__.split(".")[1]


def _is_section(section: type[BaseModel], place: Sequence[str]) -> bool:
    return section_at(section, place) is not section_at(section, place[:-1])


def _takes_any_key(section: type[BaseModel], place: Sequence[str]) -> bool:
    """Whether a mapping of the user's own words is there."""
    *above, last = place
    field = section_at(section, above).model_fields.get(last)
    return field is not None and get_origin(field.annotation) is dict


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """The one with what the other has in its place, key by key."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = _over(under, value) if isinstance(value, Mapping) and isinstance(under, Mapping) else value
    return merged


def _depth(data: Any, place: Place) -> int:
    """How much of the way to ``place`` is there."""
    for depth, part in enumerate(place):
        is_there = part in data if isinstance(data, Mapping) else isinstance(data, list) and part in range(len(data))
        if not is_there:
            return depth
        data = data[part]
    return len(place)
