"""A folder of captioned images: Hugging Face's ``imagefolder`` with its metadata, or images with files beside them."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from archlab.data.captions import LONGEST_CAPTION, LONGEST_FILE, SUFFIXES, fields_in_words, in_fields, in_file
from archlab.data.left_out import Unusable
from archlab.data.metadata import FILE_FIELDS, NAMES, Row, rows
from archlab.data.names import FilesByName, same_form
from archlab.data.pairs import NO_IMAGE, TWICE, UNREADABLE, FileFormat, Listing
from archlab.data.pixels import is_image
from archlab.data.walk import Location

DAMAGED_ROW, NO_ROWS = "damaged row of metadata", "metadata without rows"
NO_FILE_NAME = f"row with none of the columns {', '.join(FILE_FIELDS)}"


def read_folder(location: Location, listing: Listing) -> None:
    """Images anywhere below, each with the caption that a ``metadata.csv`` or ``.jsonl`` of its folder or of one above
    gives it, else with that of the file of its name."""
    images = [path for path in location.files if is_image(path.name)]
    tables = [path for path in location.files if path.name.lower() in NAMES]
    beside = _Beside([path for path in location.files if path.suffix.lower() in SUFFIXES])
    listed = _listed(tables, FilesByName(images), listing)
    for path in images:
        if path not in listing.used:
            listing.add(path, _candidates(listed.get(path), beside.of(path)))
    listing.used.update(tables, beside.used)
    for path in beside.unused:
        if path.suffix.lower() != ".json":  # what this may be, nobody knows
            listing.used.add(path)
            listing.left_out.add(NO_IMAGE, listing.name(path))


FOLDER = FileFormat(
    "a folder of captioned images",
    "metadata.csv or metadata.jsonl with file_name and text, caption or prompt; "
    "images with a .txt, .caption or .json of the same name",
    "",
    lambda path: None,
    read_folder,
)


class _Beside:
    """Files that may be the caption of the image beside them: ``0.txt`` or ``0.png.txt`` of ``0.png``."""

    def __init__(self, files: list[Path]) -> None:
        self._files = sorted(files, key=lambda path: SUFFIXES.index(path.suffix.lower()))
        self._by_stem = defaultdict[str, list[Path]](list)
        for path in self._files:
            self._by_stem[same_form(path.with_suffix(""))].append(path)
        self.used: set[Path] = set()

    def of(self, image: Path) -> list[Path]:
        found = [*self._by_stem.get(same_form(image.with_suffix("")), ()), *self._by_stem.get(same_form(image), ())]
        self.used.update(found)
        return found

    @property
    def unused(self) -> list[Path]:
        return [path for path in self._files if path not in self.used]


def _candidates(row: Row | None, beside: list[Path]) -> Iterator[Any]:
    if row is not None and row.facts is not None:
        yield from in_fields(row.facts)
    for path in beside:
        most = LONGEST_FILE if path.suffix.lower() == ".json" else LONGEST_CAPTION + 1
        try:
            with path.open("rb") as file:
                content = file.read(most)
        except OSError:
            yield Unusable(UNREADABLE)
        else:
            yield from in_file(path.suffix.lower(), content)


def _listed(tables: list[Path], images: FilesByName, listing: Listing) -> dict[Path, Row]:
    """What metadata files say of images; the first row of an image counts."""
    listed: dict[Path, Row] = {}
    for table in tables:
        row = None
        try:
            for row in rows(table):
                try:
                    image = _image(row, table.parent, images)
                    if image in listed or image in listing.used:
                        raise Unusable(TWICE)
                    listed[image] = row
                except Unusable as reason:
                    listing.left_out.add(reason, f"{listing.name(table)}:{row.line}")
        except OSError:
            listing.left_out.add(UNREADABLE, listing.name(table))
        except Unusable as reason:
            listing.left_out.add(reason, listing.name(table))
        else:
            if row is None:
                listing.left_out.add(NO_ROWS, listing.name(table))
    return listed


def _image(row: Row, folder: Path, images: FilesByName) -> Path:
    """The image that the row is about."""
    if row.facts is None:
        raise Unusable(DAMAGED_ROW)
    if row.file_name is None:
        raise Unusable(NO_FILE_NAME, fields_in_words(row.facts))
    return images.find([folder], row.file_name)
