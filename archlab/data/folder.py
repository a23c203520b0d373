"""A folder of captioned images: Hugging Face's ``imagefolder`` with its metadata, or images with files beside them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from archlab.data.captions import LONGEST_CAPTION, LONGEST_FILE, SUFFIXES, fields_in_words, in_fields, in_file
from archlab.data.left_out import Unusable
from archlab.data.metadata import FILE_FIELDS, NAMES, Row, rows
from archlab.data.names import FilesByName
from archlab.data.pairs import NO_IMAGE, TWICE, UNREADABLE, FileFormat, Listing
from archlab.data.pixels import is_image
from archlab.data.sidecars import sidecars
from archlab.data.walk import Location

DAMAGED_ROW, NO_ROWS = "damaged row of metadata", "metadata without rows"
NO_FILE_NAME = f"row with none of the columns {', '.join(FILE_FIELDS)}"


def read_folder(location: Location, listing: Listing) -> None:
    """Images anywhere below, each with the caption that a ``metadata.csv`` or ``.jsonl`` of its folder or of one above
    gives it, else with that of the file of its name."""
    images = [path for path in location.files if is_image(path.name)]
    tables = [path for path in location.files if path.name.lower() in NAMES]
    texts = [path for path in location.files if path.suffix.lower() in SUFFIXES]
    beside = sidecars(images, texts)
    listed = _listed(tables, FilesByName(images), listing)
    for path in images:
        if path not in listing.used:
            listing.add(path, _candidates(listed.get(path), beside[path]))
    listing.used.update(tables, *beside.values())
    for path in texts:
        if path not in listing.used and path.suffix.lower() != ".json":  # what that may be, nobody knows
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
    """What metadata files say of images; the first row of an image counts, and before it one with its exact name."""
    listed: dict[Path, Row] = {}
    loosely: dict[Path, str] = {}  # images with the places of rows that spell their names otherwise
    for table in tables:
        row = None
        try:
            for row in rows(table):
                place = f"{listing.name(table)}:{row.line}"
                try:
                    image, is_exact = _image(row, table.parent, images)
                    if is_exact and image in loosely:
                        listing.left_out.add(NO_IMAGE, loosely.pop(image))
                    elif image in listed or image in listing.used:
                        raise Unusable(TWICE)
                    elif not is_exact:
                        loosely[image] = place
                    listed[image] = row
                except Unusable as reason:
                    listing.left_out.add(reason, place)
        except OSError:
            listing.left_out.add(UNREADABLE, listing.name(table))
        except Unusable as reason:
            listing.left_out.add(reason, listing.name(table))
        else:
            if row is None:
                listing.left_out.add(NO_ROWS, listing.name(table))
    return listed


def _image(row: Row, folder: Path, images: FilesByName) -> tuple[Path, bool]:
    """The image that the row is about, and whether it names it exactly."""
    if row.facts is None:
        raise Unusable(DAMAGED_ROW)
    if row.file_name is None:
        raise Unusable(NO_FILE_NAME, fields_in_words(row.facts))
    image = images.find([folder], row.file_name)
    return image, image == folder / row.file_name
