"""Random edits of files: wrong types, missing keys, depth, huge numbers, words that are none, torn bytes."""

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from archlab.files import read_text

Edit = Callable[[random.Random, Any], Any]

_RAW = (  # what neither library would write
    "[" * 100_000,
    "[" * 2_000 + "]" * 2_000,
    '{"a":' * 300 + "1" + "}" * 300,
    "9" * 5_000,
    "-1" + "0" * 400,
    "0x" + "f" * 5_000,
    "1e999",
    "NaN",
    "-Infinity",
    "1:30",
    "010",
    "1_000",
    "5e-1",
    "2026-01-31",
    "!!python/object/apply:os.system [id]",
    "!!binary x",
    "!!set {a, b}",
    "&a [*a]",
    "&a {b: *a}",
    "*nowhere",
    "? [a, b]",
    "<<: {a: 1}",
    "'",
    '"',
    "|",
    "\t",
    "[" + "1, " * 30_000 + "1]",
    "\ufeff1",
    "\u2028",
)


def edit_file(path: Path, source: random.Random) -> str:
    """Edit the file in one random way; what was done, in words."""
    if path.suffix in (".json", ".yaml", ".jsonl", ".log") and source.random() < 0.85:
        return _edit_structure(path, source)
    return edit_bytes(path, source)


def _edit_structure(path: Path, source: random.Random) -> str:
    text = read_text(path)
    if path.suffix in (".jsonl", ".log"):
        content: Any = [json.loads(line) for line in text.splitlines()]
    else:
        content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    places = list(_places(content))
    container, key = source.choice(places)
    name, edit = source.choice(list(_EDITS.items()))
    said = f"{path.name}: {key!r}: {name}"
    edit(source, (container, key))
    raw = source.choice(_RAW)
    if path.suffix == ".yaml":
        dumped: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    else:
        lines = content if path.suffix in (".jsonl", ".log") else [content]
        dumped = "".join(f"{json.dumps(line)}\n" for line in lines).replace(f'"{_MARK}"', _MARK)
    path.write_text(dumped.replace(_MARK, raw), encoding="utf-8")
    return said


def _places(content: Any) -> list[tuple[Any, Any]]:
    """Every container with every key or index in it."""
    found: list[tuple[Any, Any]] = []
    if isinstance(content, dict):
        found += [(content, key) for key in content]
        for value in content.values():
            found += _places(value)
    if isinstance(content, list):
        found += [(content, index) for index in range(len(content))]
        for value in content:
            found += _places(value)
    return found


def _delete(_: random.Random, place: tuple[Any, Any]) -> None:
    container, key = place
    del container[key]


def _set(value: Any) -> Edit:
    def edit(_: random.Random, place: tuple[Any, Any]) -> None:
        container, key = place
        container[key] = copy.deepcopy(value)

    return edit


def _wrap_in_list(_: random.Random, place: tuple[Any, Any]) -> None:
    container, key = place
    container[key] = [container[key]]


def _wrap_in_mapping(_: random.Random, place: tuple[Any, Any]) -> None:
    container, key = place
    container[key] = {"a": container[key]}


def _as_word(_: random.Random, place: tuple[Any, Any]) -> None:
    container, key = place
    container[key] = str(container[key])


def _negate(_: random.Random, place: tuple[Any, Any]) -> None:
    container, key = place
    value = container[key]
    container[key] = -value if isinstance(value, (int, float)) else -1


def _swap(source: random.Random, place: tuple[Any, Any]) -> None:
    container, key = place
    keys = list(container) if isinstance(container, dict) else list(range(len(container)))
    other = source.choice(keys)
    container[key], container[other] = container[other], container[key]


def _add_unknown(source: random.Random, place: tuple[Any, Any]) -> None:
    container, key = place
    if isinstance(container, dict):
        container[source.choice(["zebra", "", "ä", "0"])] = container[key]
    else:
        container.append(container[key])


_MARK = "raw-" * 3
_EDITS: dict[str, Edit] = {
    "deleted": _delete,
    "null": _set(None),
    "true": _set(True),
    "a word": _set("abc"),
    "an empty word": _set(""),
    "a long word": _set("x" * 100_000),
    "not ASCII": _set("ñ\u2028\x07学"),
    "zero": _set(0),
    "half": _set(0.5),
    "a huge whole number": _set(10**400),
    "a huge number": _set(1e308),
    "infinite": _set(float("inf")),
    "not a number": _set(float("nan")),
    "an empty list": _set([]),
    "an empty mapping": _set({}),
    "a list of rubbish": _set([{}, [], None, "a", 10**30]),
    "a mapping of rubbish": _set({"a": {"b": [{}]}, "0": None}),
    "raw text": _set(_MARK),
    "raw text ": _set(_MARK),
    "raw text  ": _set(_MARK),
    "in a list": _wrap_in_list,
    "in a mapping": _wrap_in_mapping,
    "as a word": _as_word,
    "negative": _negate,
    "swapped": _swap,
    "an unknown key": _add_unknown,
}


def edit_bytes(path: Path, source: random.Random) -> str:
    """Edit the bytes of a file in one random way; what was done, in words."""
    content = bytearray(path.read_bytes())
    place = source.randrange(len(content) + 1)
    match source.randrange(5):
        case 0:
            said, content = "cut off", content[:place]
        case 1:
            said = "a byte changed"
            if place < len(content):
                content[place] = source.randrange(256)
        case 2:
            said = "bytes put in"
            content[place:place] = bytes(source.randrange(256) for _ in range(source.randrange(1, 50)))
        case 3:
            said, content = "emptied", bytearray()
        case _:
            said, content = "twice", content + content
    path.write_bytes(bytes(content))
    return f"{path.name}: byte {place}: {said}"
