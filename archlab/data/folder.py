"""A folder of captioned images: Hugging Face's ``imagefolder`` with its metadata, or images with texts beside them."""

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from archlab.data.pairs import (
    DAMAGED_ROW,
    LONGEST_CAPTION,
    NO_IMAGE,
    OUTSIDE,
    TWICE,
    FileFormat,
    Listing,
    Location,
    Source,
    inside,
    is_image,
)

METADATA = ("metadata.csv", "metadata.jsonl")
CAPTION_COLUMNS = ("text", "caption")


def open_folder(location: Location) -> Source | None:
    """Any folder; see `folder_source`."""
    if not location.path.is_dir():
        return None
    return folder_source(location.path, location.files, location.left_out)


FOLDER = FileFormat(
    "metadata.csv or metadata.jsonl with file_name and text; images with a .txt of the same name", "", open_folder
)


def folder_source(root: Path, files: list[Path], left_out: Counter[str]) -> Source:
    """Images anywhere below, each with the caption that a ``metadata.csv`` or ``.jsonl`` of its folder or of one above
    gives it (``file_name`` and ``text`` or ``caption``), else with the ``.txt`` of its name.

    Args:
        files: all that are below.
        left_out: what was counted while they were looked for.
    """
    deciding = [path for path in files if is_image(path.name) or _is_text(path)]

    def list_pairs() -> Listing:
        return _list(deciding, Listing(left_out=Counter(left_out)))

    return Source("a folder of captioned images", root, deciding, list_pairs)


def _is_text(path: Path) -> bool:
    return path.name in METADATA or path.suffix.lower() == ".txt"


def _list(files: list[Path], listing: Listing) -> Listing:
    images = [path for path in files if is_image(path.name)]
    texts = {path.with_suffix(""): path for path in files if path.suffix.lower() == ".txt"}
    listed = _listed([path for path in files if path.name in METADATA], set(images), listing.left_out)
    for path in images:
        caption = listed[path] if path in listed else _read(texts.get(path.with_suffix("")))
        listing.add(path, 0, path.stat().st_size, caption)
    listing.left_out[NO_IMAGE] += len(texts.keys() - {path.with_suffix("") for path in images})
    return listing


def _listed(tables: list[Path], images: set[Path], left_out: Counter[str]) -> dict[Path, Any]:
    """The captions of the images that metadata files name."""
    captions: dict[Path, Any] = {}
    for table in tables:
        for row in _rows(table, left_out):
            if not isinstance(row.get("file_name"), str) or not row.keys() & set(CAPTION_COLUMNS):
                left_out[f"row of {table.name} without file_name, or text or caption"] += 1
                continue
            path = inside(table.parent, row["file_name"])
            if path is None:
                left_out[OUTSIDE] += 1
            elif path not in images:
                left_out[NO_IMAGE] += 1
            elif path in captions:
                left_out[TWICE] += 1
            else:
                captions[path] = next(row[column] for column in CAPTION_COLUMNS if column in row)
    return captions


def _rows(table: Path, left_out: Counter[str]) -> Iterator[Mapping[str, Any]]:
    """The rows of a metadata file; what cannot be read is counted."""
    with table.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        rows = csv.DictReader(file) if table.suffix == ".csv" else map(_parsed, file)
        while True:
            try:
                row = next(rows)
            except StopIteration:
                return
            except (csv.Error, ValueError, RecursionError):
                left_out[DAMAGED_ROW] += 1
                continue
            if isinstance(row, dict):
                yield row
            elif row != "":
                left_out[DAMAGED_ROW] += 1


def _parsed(line: str) -> Any:
    """One line of JSON; of an empty one nothing."""
    return json.loads(line) if line.strip() else ""


def _read(path: Path | None) -> bytes | None:
    """The start of a text, one byte more than a caption may have; None where there is none that can be read."""
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            return file.read(LONGEST_CAPTION + 1)
    except OSError:
        return None
