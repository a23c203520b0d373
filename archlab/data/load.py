"""The one door: a data set by its name or path."""

import os
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from archlab.cache import content_hash
from archlab.data.captioned import VALIDATION_SHARE, CaptionedImages, Origin
from archlab.data.image_cache import DECODER, cached_images
from archlab.data.left_out import in_words
from archlab.data.pairs import Listing, Source
from archlab.data.settings import LARGEST_SIDE
from archlab.data.sources import BUILTIN, FILE_FORMATS
from archlab.data.splits import VALIDATION, with_splits
from archlab.data.walk import Location, files_below
from archlab.errors import BadInput, nearest, shown
from archlab.progress import Progress, silent

_LARGEST_BUILTIN = 256  # pixels; shapes take 3 GB then
_loaded: dict[tuple[Path, int], tuple[str, CaptionedImages]] = {}


def load_data(source: str, image_size: int, progress: Progress = silent) -> CaptionedImages:
    """Load a data set, its images resized to squares of side ``image_size``; within a process once, until files change.

    Args:
        source: ``digits``, ``shapes``, or the path of captioned images: a folder, shards, COCO captions. Those are
            turned as EXIF says, cropped in the middle, and put into the cache. What the data set has for it validates;
            else the fifth whose hashes are the lowest, so that more images change no image's side.
        progress: called with the stage ``images`` and the share of them that is decoded.

    Raises:
        BadInput: there is no such data set, or nothing usable in it; the message says what was left out and why.
    """
    if image_size > LARGEST_SIDE:
        raise BadInput(f"images of {image_size:,} pixels a side are too large; at most {LARGEST_SIDE:,}")
    if source in BUILTIN.names:
        return _builtin(source, image_size)
    path, opened = Path(source).absolute(), open_source(Path(source))
    fingerprint, loaded = _loaded.get((path, image_size), ("", None))
    if loaded is None or fingerprint != opened.fingerprint:
        loaded = _from_files(Path(source), opened, image_size, progress)
        _loaded[path, image_size] = opened.fingerprint, loaded
    return loaded


@cache
def _builtin(name: str, image_size: int) -> CaptionedImages:
    if image_size > _LARGEST_BUILTIN:
        raise BadInput(f"{name} are made in memory, at most {_LARGEST_BUILTIN} pixels a side, not {image_size}")
    return BUILTIN[name](image_size)


def _from_files(path: Path, source: Source, image_size: int, progress: Progress) -> CaptionedImages:
    cached = cached_images(source, image_size, progress)
    if len(cached.captions) < 2:
        counted = f"; left out: {in_words(cached.left_out)}" if cached.left_out else ""
        usable = "only one captioned image" if cached.captions else "no captioned image"
        raise BadInput(f"{path}: {usable}; looked for {_looked_for()}{counted}")
    train, validation = _split([facts.digest for facts in cached.files], cached.splits)
    described = [
        [facts.digest, caption, split]
        for facts, caption, split in zip(cached.files, cached.captions, cached.splits, strict=True)
    ]
    return CaptionedImages(
        name=path.resolve().stem if path.is_file() else path.resolve().name,
        images=cached.images,
        captions=cached.captions,
        train=train,
        validation=validation,
        attributes={},
        facts=torch.empty(len(cached.captions), 0, dtype=torch.int64),
        id=content_hash(described, image_size, DECODER),
        names=cached.names,
        origin=Origin(
            kind=cached.kind,
            sizes=Counter(f"{facts.width}×{facts.height}" for facts in cached.files),
            modes=Counter(facts.mode for facts in cached.files),
            enlarged=sum(min(facts.width, facts.height) < image_size for facts in cached.files),
            left_out=cached.left_out,
        ),
    )


def open_source(path: Path) -> Source:
    """What is at the path: a folder in every format at once, a file in the one that it is of.

    Raises:
        BadInput: there is nothing, or a file of another kind.
    """
    if not os.path.exists(path):
        raise BadInput(f"no data set {shown(str(path))}, nor is it a path{nearest(str(path), BUILTIN.names)}")
    if os.path.isdir(path):
        return _source(files_below(path), FILE_FORMATS.names)
    for name in FILE_FORMATS.names:
        if location := FILE_FORMATS[name].open_file(path):
            return _source(location, (name,))
    formats = [FILE_FORMATS[name] for name in FILE_FORMATS.names]
    files = " or ".join(form.file for form in reversed(formats) if form.file)
    raise BadInput(f"{path}: not captioned images: a folder, {files}")


def _source(location: Location, formats: Sequence[str]) -> Source:
    def list_pairs() -> Listing:
        listing = Listing(location)
        for name in formats:
            form, before = FILE_FORMATS[name], len(listing.pairs)
            form.read(location, listing)
            listing.kinds += [form.kind] if len(listing.pairs) > before else []
        for path in location.files if location.named is None else ():
            if path not in listing.used:
                listing.leave_unknown(listing.name(path))
        listing.pairs[:] = with_splits(listing.pairs, listing.left_out)
        return listing

    return Source(location, tuple(formats), list_pairs)


def _looked_for() -> str:
    return "; ".join(FILE_FORMATS[name].looked_for for name in FILE_FORMATS.names)


def _split(digests: Sequence[str], splits: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Indices that train and that validate, each in order; of either at least one."""
    validates = torch.tensor([split == VALIDATION for split in splits])
    if validates.any() and not validates.all():
        return (~validates).nonzero().flatten(), validates.nonzero().flatten()
    order = sorted(range(len(digests)), key=lambda index: digests[index])
    threshold = VALIDATION_SHARE * 16 ** len(digests[0])
    count = sum(int(digest, 16) < threshold for digest in digests)
    count = min(max(count, 1), len(digests) - 1)
    return torch.tensor(sorted(order[count:])), torch.tensor(sorted(order[:count]))
