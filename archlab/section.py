"""Sections of a YAML file: frozen, validated, and wrong at a line and column."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from archlab.document import Place
from archlab.errors import BadInput, nearest, shown


def refuse_bool(value: Any) -> Any:
    """The value, which is not ``true`` or ``false``: pydantic would read those as 1 and 0."""
    if isinstance(value, bool):
        raise ValueError(f"must be a number, not {str(value).lower()}")
    return value


Count = Annotated[int, BeforeValidator(refuse_bool), Field(ge=1, lt=2**63)]
Amount = Annotated[float, BeforeValidator(refuse_bool), Field(gt=0)]


class Section(BaseModel):
    """A frozen section; unknown keys are refused. The package that reads a section owns it, with its defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def part(self, section: type["SectionT"]) -> "SectionT":
        """The values of a section that this one is composed of, and no others."""
        return section.model_construct(**{name: getattr(self, name) for name in section.model_fields})


SectionT = TypeVar("SectionT", bound=Section)


@dataclass(frozen=True)
class NamedOrPath:
    """Marks a field that is a path relative to the YAML, or one of these names."""

    names: tuple[str, ...] = ()


class Source(Protocol):
    """Where a section was written: a `archlab.document.Document`, or several places together."""

    def error(self, place: Place, message: str, *, at_key: bool = False) -> BadInput:
        """The error to raise about what stands at ``place``."""

    def folder(self, place: Place) -> Path:
        """What a path that stands at ``place`` is relative to."""


def read_section(section: type[SectionT], data: Any, document: Source) -> SectionT:
    """The section that ``data``, the whole document or a part of its top level, describes.

    A validator's own message about another place than its own begins with that place: ``objectives.1: no 'x'``.

    Raises:
        BadInput: one line with file, line, column, what is wrong and what would be right.
    """
    try:
        return section.model_validate(data)
    except ValidationError as invalid:
        errors = invalid.errors()
    unknown = next((error for error in errors if error["type"] == "extra_forbidden"), None)
    raise _refused(unknown or errors[0], section, data, document)


def with_paths(section: SectionT, place: Place, document: Source) -> SectionT:
    """The section, its paths relative to the working directory unless absolute.

    Raises:
        BadInput: a path is not there.
    """
    paths = {}
    for key, field in type(section).model_fields.items():
        kind = next((mark for mark in field.metadata if isinstance(mark, NamedOrPath)), None)
        name = getattr(section, key)
        if kind is None or name is None or name in kind.names:
            continue
        folder = document.folder([*place, key])
        if not os.path.exists(folder / name):
            near = nearest(name, kind.names)
            message = f"no {shown(name)}, nor is it a path{near}" if kind.names else f"no such path: {shown(name)}"
            raise document.error([*place, key], message)
        paths[key] = name if os.path.isabs(name) else os.path.relpath(folder / name)
    return section.model_copy(update=paths)


def valid_keys(section: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """The keys of the section at ``place`` below ``section``."""
    return list(section_at(section, place).model_fields)


def section_at(section: type[BaseModel], place: Sequence[str | int]) -> type[BaseModel]:
    """The section at ``place`` below ``section``, or the deepest on the way there."""
    for part in place:
        if isinstance(part, str) and part in section.model_fields:
            kinds = [section.model_fields[part].annotation, *get_args(section.model_fields[part].annotation)]
            section = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), section)
    return section


def _refused(error: ErrorDetails, section: type[Section], data: Any, document: Source) -> BadInput:
    place = _as_written(error["loc"], data)
    match error["type"]:
        case "extra_forbidden":
            valid = valid_keys(section, place[:-1])
            return document.error(place, f"unknown key{nearest(str(place[-1]), valid)}", at_key=True)
        case "missing":
            return document.error(place, "is missing", at_key=True)
        case "literal_error":
            valid = [word.strip("' ") for word in error["ctx"]["expected"].replace(" or ", ",").split(",")]
            return document.error(place, f"no {shown(error['input'])}{nearest(str(error['input']), valid)}")
        case "tuple_type":
            return document.error(place, f"must be a list, not {shown(error['input'])}")
        case "too_short":
            return document.error(place, "must have at least one entry")
        case "value_error":
            message = error["msg"].removeprefix("Value error, ")
            if not place:
                where, _, message = message.partition(": ")
                parts = [int(part) if part.isdigit() else part for part in where.split(".")]
                place = _as_written(parts, data)
            return document.error(place, message)
    return document.error(place, f"{error['msg']}, not {shown(error['input'])}")


def _as_written(place: Sequence[str | int], data: Any) -> list[str | int]:
    """The place without the index of a list whose only entry is written without the list."""
    written: list[str | int] = []
    for part in place:
        if isinstance(data, dict) and part == 0 and part not in data:
            continue
        written.append(part)
        is_there = part in data if isinstance(data, dict) else isinstance(data, list)
        data = data[part] if is_there else None
    return written
