"""JSON that somebody else may have written: its depth and its numbers have bounds."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

DEEPEST = 100
_LONGEST_NUMBER = 64
_SPACE = re.compile(r"\s*")

T = TypeVar("T")


def parse_json(text: str | bytes) -> Any:
    """The value that a JSON text is, with or without a byte-order mark.

    Raises:
        ValueError: it is no JSON, deeper than `DEEPEST`, or has a whole number of more than 64 digits; one line.
    """
    decoded = text if isinstance(text, str) else text.decode("utf-8-sig")
    value = _not_too_deep(lambda: _DECODER.decode(decoded))
    _check_depth(value)
    return value


def json_values(text: str) -> Iterator[Any]:
    """JSON values one after the other, with or without space between them.

    Raises:
        ValueError: see `parse_json`.
    """
    position = _next(text, 0)
    while position < len(text):
        value, end = _not_too_deep(lambda: _DECODER.raw_decode(text, position))  # noqa: B023  # called at once
        _check_depth(value)
        position = _next(text, end)
        yield value


def _not_too_deep(decode: Callable[[], T]) -> T:
    try:
        return decode()
    except RecursionError:
        raise ValueError(f"nested more than {DEEPEST} deep") from None


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [
            child
            for each in level
            if isinstance(each, (dict, list))
            for child in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return
    raise ValueError(f"nested more than {DEEPEST} deep")


def _whole_number(digits: str) -> int:
    if len(digits) > _LONGEST_NUMBER:
        raise ValueError(f"a number of {len(digits):,} digits")
    return int(digits)


def _next(text: str, position: int) -> int:
    """Of the next character that is no space."""
    found = _SPACE.match(text, position)
    return found.end() if found else position


_DECODER = json.JSONDecoder(parse_int=_whole_number)
