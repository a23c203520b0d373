"""COCO captions: ``annotations/captions_<split>.json`` and the images of each split."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from archlab.data.pairs import NO_IMAGE, OUTSIDE, TWICE, FileFormat, Listing, Location, Source, inside, is_image
from archlab.errors import BadInput

_PREFIX = "captions_"


def open_coco(location: Location) -> Source | None:
    """A file of captions, or a folder that has some in ``annotations/``; see `coco_source`."""
    path = location.path
    if path.is_file():
        root = path.parent.parent if path.parent.name == "annotations" else path.parent
        return coco_source(root, [path]) if path.suffix == ".json" else None
    annotations = sorted(file for file in (path / "annotations").glob(f"{_PREFIX}*.json") if file.is_file())
    return coco_source(path, annotations) if annotations else None


COCO = FileFormat("annotations/captions_*.json", "COCO's captions_*.json", open_coco)


def coco_source(root: Path, annotations: list[Path]) -> Source:
    """The images of these annotations, each with one of its captions, always the same.

    They are where COCO has them, in ``<split>/`` beside ``annotations/``, or in ``images/<split>/``, ``images/``, the
    folder itself or the annotations' own.
    """
    folders = {path: _image_folders(root, path) for path in annotations}
    images = {
        path: path.stat().st_size
        for folder in dict.fromkeys(folder for among in folders.values() for folder in among)
        for path in sorted(folder.iterdir())
        if is_image(path.name) and path.is_file()
    }

    def list_pairs() -> Listing:
        listing = Listing()
        for path in annotations:
            _list(path, folders[path], images, listing)
        return listing

    return Source("COCO captions", root, [*annotations, *images], list_pairs)


def _image_folders(root: Path, annotations: Path) -> list[Path]:
    split = annotations.stem.removeprefix(_PREFIX)
    places = (root / split, root / "images" / split, root / "images", root, annotations.parent)
    return [place for place in places if place.is_dir()]


def _list(path: Path, folders: list[Path], images: dict[Path, int], listing: Listing) -> None:
    content = _content(path)
    captions = defaultdict(list)
    for annotation in content["annotations"]:
        if "caption" in annotation:
            captions[str(annotation.get("image_id"))].append(annotation["caption"])
    seen = {pair.path for pair in listing.pairs}
    for image in content["images"]:
        name = str(image.get("file_name", ""))
        places = [inside(folder, name) for folder in folders]
        place = next((place for place in places if place in images), None)
        if None in places:
            listing.left_out[OUTSIDE] += 1
        elif place is None:
            listing.left_out[NO_IMAGE] += 1
        elif place in seen:
            listing.left_out[TWICE] += 1
        else:
            seen.add(place)
            listing.add(place, 0, images[place], captions[str(image.get("id"))])


def _content(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Images and annotations; whatever in them is no object is dropped.

    Raises:
        BadInput: they are not COCO captions.
    """
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}: not JSON: {error}") from None
    lists = {name: content.get(name) if isinstance(content, dict) else None for name in ("images", "annotations")}
    for name, entries in lists.items():
        if not isinstance(entries, list):
            raise BadInput(f"{path}: not COCO captions: no list {name!r}")
    return {name: [entry for entry in entries or [] if isinstance(entry, dict)] for name, entries in lists.items()}
