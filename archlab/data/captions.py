"""Captions as others write them: in which file, under which name, in which encoding."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from archlab.data.left_out import Unusable
from archlab.json_text import parse_json

LONGEST_CAPTION = 65_536  # bytes
LONGEST_FILE = 16 * LONGEST_CAPTION  # of a caption with other facts
SUFFIXES = (".txt", ".caption", ".json")  # of the file beside an image; the first that has a caption counts
FIELDS = ("text", "caption", "prompt", "captions", "description")  # likewise, in JSON and in tables

NO_CAPTION, EMPTY_CAPTION = "no caption", "empty caption"
NOT_TEXT, TOO_LONG = "caption is not UTF-8 or UTF-16 text", "caption over 64 KB"
NOT_JSON, NO_FIELD = "caption file that is not JSON", f"none of the fields {', '.join(FIELDS)}"
_MOST_FIELDS = 8


def chosen(candidates: Iterable[Any], name: str) -> str:
    """The first candidate that is a caption; of a list one is picked by the name, always the same.

    Raises:
        Unusable: none is; the reason is that of the first.
    """
    first = None
    for candidate in candidates:
        try:
            return _picked(candidate, name) if isinstance(candidate, list) else _cleaned(candidate)
        except Unusable as reason:
            first = first or reason
    raise first or Unusable(NO_CAPTION)


def in_file(suffix: str, content: bytes) -> Iterator[Any]:
    """What may be the caption in a file, whose suffix is one of `SUFFIXES`."""
    if suffix != ".json":
        yield content
        return
    try:
        facts = parse_json(content.decode(json.detect_encoding(content)))
    except ValueError:
        facts = Unusable(NOT_JSON)
    yield from in_fields(lower_case(facts)) if isinstance(facts, dict) else [facts]


def in_fields(facts: Mapping[str, Any]) -> Sequence[Any]:
    """What may be the caption among named facts, the names in lower case."""
    return [facts[field] for field in FIELDS if field in facts] or [Unusable(NO_FIELD, fields_in_words(facts))]


def fields_in_words(facts: Mapping[str, Any]) -> str:
    """``only bild, beschreibung``"""
    return f"only {', '.join(list(facts)[:_MOST_FIELDS])}" if facts else "none"


def lower_case(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The same facts by their names in lower case, without spaces around them; of several equal names the first."""
    lower: dict[str, Any] = {}
    for name, value in facts.items():
        lower.setdefault(name.strip().lower(), value)
    return lower


def _picked(captions: list[Any], name: str) -> str:
    usable, first = [], None
    for caption in captions:
        try:
            usable.append(_cleaned(caption))
        except Unusable as reason:
            first = first or reason
    if not usable:
        raise first or Unusable(NO_CAPTION)
    return usable[int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8]) % len(usable)]


def _cleaned(caption: Any) -> str:
    """The caption on one line, without control characters."""
    if isinstance(caption, Unusable):
        raise caption
    if isinstance(caption, bytes):
        caption = _decoded(caption)
    if not isinstance(caption, str):
        raise Unusable(NO_CAPTION)
    if any("\ud800" <= character <= "\udfff" for character in caption):
        raise Unusable(NOT_TEXT)
    line = "".join(character for character in " ".join(caption.split()) if character.isprintable())
    if not line:
        raise Unusable(EMPTY_CAPTION)
    if len(line) > LONGEST_CAPTION:
        raise Unusable(TOO_LONG)
    return line


def _decoded(content: bytes) -> str:
    if len(content) > LONGEST_CAPTION:
        raise Unusable(TOO_LONG)
    try:
        return content.decode(json.detect_encoding(content))
    except UnicodeDecodeError:
        raise Unusable(NOT_TEXT) from None
