"""How facts are read: by one codec, which checks every type.

A fact is a frozen dataclass. Code that makes one is checked by mypy; a file that holds one is checked when it is read.
"""

import json
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from archlab.errors import BadInput
from archlab.files import read_text, write_text

STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
Whole = Annotated[int, Field(ge=-(2**63), lt=2**63)]  # what tables can hold

COMPUTED = ConfigDict(extra="ignore", allow_inf_nan=False)  # what is computed from a fact stands beside it in the file

MEND = "restore it, or delete it to have it made again"

_LONGEST_MESSAGE = 200

Fact = TypeVar("Fact")


def to_json(fact: object, indent: int | None = None) -> str:
    """The fact as JSON."""
    text: bytes = _adapter(type(fact)).dump_json(fact, indent=indent)
    return text.decode()


def to_plain(fact: object) -> dict[str, Any]:
    """The fact as JSON's dictionaries, lists and values: for what is printed and for other libraries' stores."""
    plain: dict[str, Any] = _adapter(type(fact)).dump_python(fact, mode="json")
    return plain


def from_json(kind: type[Fact], text: str | bytes, where: object, mend: str = MEND) -> Fact:
    """The fact that `to_json` wrote.

    Args:
        where: what is read, for the message: mostly a path.
        mend: what the person should do about a damaged one.

    Raises:
        BadInput: it is no JSON, or something is absent, unknown, or of another type.
    """
    try:
        fact: Fact = _adapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        raise damaged(where, error, mend) from None
    return fact


def from_plain(kind: type[Fact], plain: object, where: object, mend: str = MEND) -> Fact:
    """The fact that `to_plain` made.

    Raises:
        BadInput: see `from_json`.
    """
    try:
        text = json.dumps(plain)
    except (TypeError, ValueError, RecursionError):
        raise BadInput(f"{where}: damaged: cannot be read; {mend}") from None
    return from_json(kind, text, where, mend)


def read_fact(kind: type[Fact], path: Path, mend: str = MEND) -> Fact:
    """The fact in a file.

    Raises:
        BadInput: there is no such file; or see `from_json`.
    """
    return from_json(kind, read_text(path), path, mend)


def write_fact(fact: object, path: Path) -> None:
    """Write it, whole or not at all."""
    write_text(path, to_json(fact, indent=2) + "\n")


def damaged(where: object, error: ValidationError, mend: str = MEND) -> BadInput:
    """One line: what is damaged, at which place, and what to do."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    message = " ".join(first["msg"].removeprefix("Value error, ").split())
    match first["type"]:
        case "missing":
            said = f"{place} is absent"
        case "extra_forbidden" | "unexpected_keyword_argument":
            said = f"{place} is unknown"
        case _:
            said = f"{place}: {message}" if place else message
    return BadInput(f"{where}: damaged: {said[:_LONGEST_MESSAGE]}; {mend}")


def _adapter(kind: type[object]) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


_ADAPTERS: dict[type[object], TypeAdapter[Any]] = {}
