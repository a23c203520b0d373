"""Rows of ``metadata.csv`` and ``metadata.jsonl``: who wrote them used a spreadsheet, a script, or an editor."""

import csv
import json
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from archlab.data.captions import FIELDS, lower_case
from archlab.data.left_out import Unusable
from archlab.data.pixels import is_image
from archlab.json_text import parse_json

NAMES = ("metadata.csv", "metadata.tsv", "metadata.jsonl")
FILE_FIELDS = ("file_name", "filename", "image", "image_path", "file", "path")  # the first that is there counts
TOO_LARGE = "metadata over 1 GB"
_LARGEST_FILE = 2**30  # bytes
_DELIMITERS = ",;\t|"
_LONGEST_LINE = 2**20  # letters
_MOST_COLUMNS = 2**10
_MOST_LINES = 64  # of a row whose quoted caption has line breaks


class Row(NamedTuple):
    """A row of a metadata file.

    Attributes:
        line: its first one, from 1.
        facts: by their names in lower case; None where it is damaged.
    """

    line: int
    facts: Mapping[str, Any] | None

    @property
    def file_name(self) -> str | None:
        """What it says of the image's file; None where it says nothing."""
        facts = self.facts or {}
        names = (facts.get(field) for field in FILE_FIELDS)
        return next((name.strip() for name in names if isinstance(name, str) and name.strip()), None)


def rows(table: Path) -> Iterator[Row]:
    """The rows of a metadata file in UTF-8 or UTF-16.

    Raises:
        OSError: it cannot be read.
        Unusable: it is too large.
    """
    if table.stat().st_size > _LARGEST_FILE:
        raise Unusable(TOO_LARGE)
    with table.open("rb") as file:
        encoding = json.detect_encoding(file.read(4))
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
    with table.open(encoding=encoding, errors=errors, newline="") as text:
        lines = iter(lambda: text.readline(_LONGEST_LINE), "")
        yield from _json_rows(lines) if table.suffix.lower() == ".jsonl" else _csv_rows(lines)


def _json_rows(lines: Iterator[str]) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            facts = parse_json(line)
        except ValueError:
            facts = None
        yield Row(number, lower_case(facts) if isinstance(facts, dict) else None)


def _csv_rows(lines: Iterator[str]) -> Iterator[Row]:
    """Each row is read for itself, so that a quote that is never closed damages its own row alone."""
    delimiter, header = _header(next(lines, "\n"))
    waiting, number = deque(islice(lines, _MOST_LINES)), 2
    while waiting:
        cells, taken = _cells(list(waiting), delimiter, len(header))
        if cells is None:
            yield Row(number, None)
        elif cells:
            yield Row(number, lower_case(dict(zip(header, cells, strict=False))))
        for _ in range(taken):
            waiting.popleft()
        waiting += islice(lines, taken)
        number += taken


def _header(line: str) -> tuple[str, list[str]]:
    """The delimiter, by which most of the names are known, and the names."""
    known = {*FILE_FIELDS, *FIELDS}
    headers = {delimiter: _cells([line], delimiter)[0] or [] for delimiter in _DELIMITERS}
    delimiter = max(headers, key=lambda one: sum(name.strip().lower() in known for name in headers[one]))
    return delimiter, headers[delimiter]


def _cells(lines: list[str], delimiter: str, most: int = _MOST_COLUMNS) -> tuple[list[str] | None, int]:
    """The first row and how many lines it takes.

    None where it is damaged: it has more cells than the header, or a quote that is not closed has taken in another row.
    """
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        cells = next(reader)
    except csv.Error:
        return None, 1
    within = (line for cell in cells if reader.line_num > 1 for line in cell.splitlines())
    is_two = any(is_image(part.strip()) for line in within if delimiter in line for part in line.split(delimiter))
    return (None, 1) if is_two or len(cells) > most else (cells, reader.line_num)
