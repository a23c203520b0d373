"""The one door: a data set by its name or path."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from archlab.cache import content_hash
from archlab.data.captioned import VALIDATION_SHARE, CaptionedImages, Origin
from archlab.data.coco import annotation_files, open_coco
from archlab.data.digits import digits
from archlab.data.folder import open_folder
from archlab.data.image_cache import DECODER, kept_images
from archlab.data.pairs import Source, files_below, in_words
from archlab.data.shapes import shapes
from archlab.data.shards import open_shards
from archlab.errors import BadInput, nearest
from archlab.progress import Progress

LOOKED_FOR = (
    "metadata.csv or metadata.jsonl with file_name and text; images with a .txt of the same name; "
    "*.tar shards of key.jpg and key.txt or key.json; annotations/captions_*.json"
)
_BUILTIN = {"digits": digits, "shapes": shapes}
_loaded: dict[tuple[str, int], CaptionedImages] = {}


def load_data(source: str, image_size: int, progress: Progress = lambda stage, share: None) -> CaptionedImages:
    """Load a data set, its images resized to squares of side ``image_size``; within a process once.

    Args:
        source: ``digits``, ``shapes``, or the path of captioned images: a folder, shards, COCO captions. Those are
            turned as EXIF says, cropped in the middle, and kept in the cache; the fifth whose hashes are the lowest
            validates, so that more images change no image's side.
        progress: told the share of the images that is decoded, as the stage ``images``.

    Raises:
        BadInput: there is no such data set, or nothing usable in it; the message says what was left out and why.
    """
    key = (source, image_size)
    if key not in _loaded:
        load = _BUILTIN.get(source)
        _loaded[key] = load(image_size) if load else _from_files(Path(source), image_size, progress)
    return _loaded[key]


def _from_files(path: Path, image_size: int, progress: Progress) -> CaptionedImages:
    source = open_source(path)
    kept = kept_images(source, image_size, progress)
    if len(kept.captions) < 2:
        counted = f"; left out: {in_words(kept.left_out)}" if kept.left_out else ""
        found = "only one captioned image" if kept.captions else "no captioned image"
        raise BadInput(f"{path}: {found}; looked for {LOOKED_FOR}{counted}")
    train, validation = _split([facts.digest for facts in kept.files])
    described = [[facts.digest, caption] for facts, caption in zip(kept.files, kept.captions, strict=True)]
    return CaptionedImages(
        name=path.resolve().stem if path.is_file() else path.resolve().name,
        images=kept.images,
        captions=kept.captions,
        train=train,
        validation=validation,
        attributes={},
        facts=torch.empty(len(kept.captions), 0, dtype=torch.int64),
        id=content_hash(described, image_size, DECODER),
        origin=Origin(
            kind=source.kind,
            sizes=Counter(f"{facts.width}×{facts.height}" for facts in kept.files),
            modes=Counter(facts.mode for facts in kept.files),
            enlarged=sum(min(facts.width, facts.height) < image_size for facts in kept.files),
            left_out=kept.left_out,
        ),
    )


def open_source(path: Path) -> Source:
    """COCO captions, shards or a folder of captioned images, by what is at the path.

    Raises:
        BadInput: there is nothing, or a file of another kind.
    """
    left_out: Counter[str] = Counter()
    if path.is_file():
        if path.suffix == ".tar":
            return open_shards(path.parent, [path], left_out)
        if path.suffix == ".json":
            return open_coco(path.parent.parent if path.parent.name == "annotations" else path.parent, [path])
        raise BadInput(f"{path}: not captioned images: a folder, a .tar shard or COCO's captions_*.json")
    if not path.is_dir():
        raise BadInput(f"no data set {str(path)!r}, nor is it a path{nearest(str(path), _BUILTIN)}")
    annotations = annotation_files(path)
    if annotations:
        return open_coco(path, annotations)
    files = list(files_below(path, left_out))
    shards = [file for file in files if file.suffix == ".tar"]
    return open_shards(path, shards, left_out) if shards else open_folder(path, files, left_out)


def _split(digests: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Indices that train and that validate, each in order; of either at least one."""
    order = sorted(range(len(digests)), key=lambda index: digests[index])
    threshold = VALIDATION_SHARE * 16 ** len(digests[0])
    count = sum(int(digest, 16) < threshold for digest in digests)
    count = min(max(count, 1), len(digests) - 1)
    return torch.tensor(sorted(order[count:])), torch.tensor(sorted(order[:count]))
