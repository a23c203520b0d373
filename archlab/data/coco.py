"""COCO captions: ``annotations/captions_<split>.json`` and the images of each split."""

import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archlab.data.left_out import Unusable
from archlab.data.names import FilesByName
from archlab.data.pairs import TWICE, FileFormat, Listing
from archlab.data.pixels import is_image
from archlab.data.walk import Location, files_in
from archlab.errors import BadInput
from archlab.json_text import parse_json

_PREFIX, _FOLDER = "captions_", "annotations"
NOT_COCO = "file of no COCO captions"
_LARGEST_FILE, _MOST_VALUES = 2**28, 10**7  # bytes, and values; COCO's own have 92 MB with 4 million


def open_coco(path: Path) -> Location | None:
    """A file of captions, with the images in the folders where its images may be."""
    if path.suffix.lower() != ".json":
        return None
    path = path.resolve()
    images = [file for file in files_in(_image_folders(path), _root(path)) if is_image(file.name)]
    return Location(_root(path), list(dict.fromkeys([path, *images])), named=path)


def read_coco(location: Location, listing: Listing) -> None:
    """The images of these annotations, each with one of its captions, always the same.

    They are where COCO has them, in ``<split>/`` beside ``annotations/``, or in ``images/<split>/``, ``images/``, the
    folder itself or the annotations' own.

    Raises:
        BadInput: the file that was named is none of COCO captions.
    """
    tables = [location.named] if location.named else [path for path in location.files if _is_annotations(path)]
    images = FilesByName([path for path in location.files if is_image(path.name)] if tables else [])
    for path in tables:
        try:
            content = _content(path)
        except Unusable as reason:
            if location.named:
                raise BadInput(f"{path}: {reason}") from None
            listing.left_out.add(NOT_COCO, f"{listing.name(path)}: {reason}")
        else:
            _read(path, content, _image_folders(path), images, listing)
        listing.used.add(path)


COCO = FileFormat("COCO captions", "annotations/captions_*.json", "COCO's captions_*.json", open_coco, read_coco)


def _is_annotations(path: Path) -> bool:
    return path.parent.name == _FOLDER and path.name.startswith(_PREFIX) and path.suffix.lower() == ".json"


def _root(annotations: Path) -> Path:
    return annotations.parent.parent if annotations.parent.name == _FOLDER else annotations.parent


def _image_folders(annotations: Path) -> list[Path]:
    root, split = _root(annotations), annotations.stem.removeprefix(_PREFIX)
    places = (root / split, root / "images" / split, root / "images", root, annotations.parent)
    return [place for place in places if os.path.isdir(place)]


def _read(
    path: Path,
    content: Mapping[str, list[dict[str, Any]]],
    folders: list[Path],
    images: FilesByName,
    listing: Listing,
) -> None:
    captions = defaultdict(list)
    for annotation in content["annotations"]:
        if "caption" in annotation:
            captions[str(annotation.get("image_id"))].append(annotation["caption"])
    for image in content["images"]:
        name = str(image.get("file_name", ""))
        try:
            place = images.find(folders, name)
            if place in listing.used:
                raise Unusable(TWICE)
            listing.add(place, [captions[str(image.get("id"))]])
        except Unusable as reason:
            listing.left_out.add(reason, f"{listing.name(path)}: {name}")


def _content(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Images and annotations; whatever in them is no object is dropped.

    Raises:
        Unusable: they are not COCO captions.
    """
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise Unusable(f"larger than {_LARGEST_FILE // 2**20} MB")
        raw = path.read_bytes()
        if sum(raw.count(sign) for sign in (b",", b"[", b"{")) > _MOST_VALUES:
            raise Unusable(f"more than {_MOST_VALUES:,} values")
        content = parse_json(raw)
    except OSError as error:
        raise Unusable(str(error.strerror)) from None
    except ValueError as error:
        raise Unusable(f"not JSON: {error}") from None
    lists = {name: content.get(name) if isinstance(content, dict) else None for name in ("images", "annotations")}
    for name, entries in lists.items():
        if not isinstance(entries, list):
            raise Unusable(f"not COCO captions: no list {name!r}")
    return {name: [entry for entry in entries or [] if isinstance(entry, dict)] for name, entries in lists.items()}
