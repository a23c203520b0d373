"""Decoded pixels of a source's images, in the cache: written once, resumable, memory-mapped."""

import hashlib
import json
import math
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL
from safetensors import SafetensorError, safe_open
from torch import Tensor

from archlab.cache import Kind, content_hash, make_room
from archlab.data.budget import Budget
from archlab.data.left_out import Omission, Unusable
from archlab.data.pairs import Pair, Source
from archlab.data.pixels import BROKEN, LARGEST_FILE, TOO_LARGE, decode
from archlab.errors import BadInput
from archlab.files import write_text
from archlab.progress import Progress
from archlab.remarks import unheard
from archlab.surgery.pillow_blocks import free_at_once

DECODER = (3, PIL.__version__)  # raise the number when images are listed or decoded differently
IMAGES = Kind("images", "decoded images of data sets")
_HEADER_BYTES = 512  # left at the start of the pixels' file for safetensors' header, which is written last
_BATCH_SIZE, _BATCH_BYTES = 64, 2**28  # whichever is less
_BYTES = Budget(LARGEST_FILE)  # of files, at a time
_DIGEST_DIGITS = 16


class FileFacts(NamedTuple):
    """What an image's file was: ``digest`` is of its bytes."""

    digest: str
    width: int
    height: int
    mode: str


_Outcome = FileFacts | str  # or the reason why the image is left out


@dataclass(frozen=True, eq=False)
class CachedImages:
    """The images of a source.

    Attributes:
        images: float32 [N, 3, S, S] in [-1, 1], memory-mapped.
        names, captions, files, splits: one per image; name and split as for `Pair`.
        kind: of the source, in a few words.
        left_out: by the reason, the most frequent first.
    """

    images: Tensor
    names: list[str]
    captions: list[str]
    files: list[FileFacts]
    splits: list[str]
    kind: str
    left_out: dict[str, Omission]


def cached_images(source: Source, image_size: int, progress: Progress) -> CachedImages:
    """The source's images, decoded where the cache lacks them.

    The cache recognises a source by the names, sizes and times of its files. Whoever stops it loses a few images at
    most; of two processes one decodes and the other waits.

    Raises:
        BadInput: the disk has too little room.
    """
    entry = IMAGES.entry(content_hash(*DECODER, image_size, source.fingerprint))
    with entry.locked():
        entry.hold()
        cached = _read(entry.path)
        if cached is None:
            _write(entry.path, source, image_size, progress)
            cached = _read(entry.path)
            make_room()
    if cached is None:
        raise BadInput(f"{entry.path}: cannot be read back; delete it to have it made again")
    return cached


def _read(folder: Path) -> CachedImages | None:
    """What `_write` finished; None where it did not, or somebody damaged it."""
    try:
        index = json.loads((folder / "index.json").read_bytes())  # of a million images hundreds of megabytes
        with safe_open(folder / "images.safetensors", framework="pt") as file:
            images = file.get_tensor("images")
        files = [FileFacts(*facts) for facts in index["files"]]
        left_out = {reason: Omission(count, tuple(places)) for reason, (count, places) in index["left_out"].items()}
        names, captions, splits = index["names"], index["captions"], index["splits"]
        cached = CachedImages(images, names, captions, files, splits, index["kind"], left_out)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, AttributeError):
        return None
    lengths = {len(cached.images), len(names), len(captions), len(files), len(splits)}
    return cached if len(lengths) == 1 else None


def _write(folder: Path, source: Source, image_size: int, progress: Progress) -> None:
    """Decode into a file that grows; its header comes last, and its name seals it."""
    folder.mkdir(exist_ok=True)
    pixels, journal = folder / "pixels.partial", folder / "journal.jsonl"
    listing, shape = source.list_pairs(), (3, image_size, image_size)
    outcomes = _decode_all(listing.pairs, shape, pixels, journal, progress)
    usable = [pair for pair, outcome in zip(listing.pairs, outcomes, strict=True) if not isinstance(outcome, str)]
    for pair, outcome in zip(listing.pairs, outcomes, strict=True):
        if isinstance(outcome, str):
            listing.left_out.add(outcome, pair.name)
    index = {
        "source": str(source.location.root),
        "kind": " and ".join(dict.fromkeys(listing.kinds)),
        "names": [pair.name for pair in usable],
        "captions": [pair.caption for pair in usable],
        "splits": [pair.split for pair in usable],
        "files": [outcome for outcome in outcomes if not isinstance(outcome, str)],
        "left_out": {reason: [known.count, known.places] for reason, known in listing.left_out.counted().items()},
    }
    write_text(folder / "index.json", json.dumps(index))
    _write_header(pixels, (len(usable), *shape))
    pixels.replace(folder / "images.safetensors")
    journal.unlink()


def _decode_all(
    pairs: Sequence[Pair], shape: tuple[int, int, int], pixels: Path, journal: Path, progress: Progress
) -> list[_Outcome]:
    """How every image fared. The journal, which is written after the pixels, says what an earlier run did."""
    outcomes = _earlier_outcomes(pixels, journal, _length(shape))
    write_text(journal, _lines(outcomes))
    decoded = sum(not isinstance(outcome, str) for outcome in outcomes)
    _check_room(pixels.parent, (len(pairs) - len(outcomes)) * _length(shape))
    with (
        pixels.open("ab") as images,
        journal.open("a", encoding="utf-8") as lines,
        ThreadPoolExecutor(os.cpu_count()) as pool,
        unheard("pillow"),
    ):
        free_at_once()
        images.truncate(_HEADER_BYTES + decoded * _length(shape))
        size = max(1, min(_BATCH_SIZE, _BATCH_BYTES // _length(shape)))
        for start in range(len(outcomes), len(pairs), size):
            batch = list(pool.map(lambda pair: _attempt(pair, shape[-1]), pairs[start : start + size]))
            images.write(b"".join(content for _, content in batch))
            images.flush()
            outcomes += [outcome for outcome, _ in batch]
            lines.write(_lines([outcome for outcome, _ in batch]))
            lines.flush()
            progress("images", len(outcomes) / len(pairs))
    return outcomes


def _attempt(pair: Pair, image_size: int) -> tuple[_Outcome, bytes]:
    """One image's facts and float32 pixels in [-1, 1]; or the reason why it is left out, and nothing."""
    if pair.length > LARGEST_FILE:
        return TOO_LARGE, b""
    try:
        with _BYTES.spent(pair.length), pair.path.open("rb") as file:
            file.seek(pair.offset)
            content = file.read(pair.length)
            square = decode(content, image_size)
    except OSError:
        return BROKEN, b""
    except Unusable as reason:
        return str(reason), b""
    digest = hashlib.sha256(content).hexdigest()[:_DIGEST_DIGITS]
    levels = square.pixels.astype(np.float32) / 127.5 - 1
    return FileFacts(digest, square.width, square.height, square.mode), levels.tobytes()


def _earlier_outcomes(pixels: Path, journal: Path, image_bytes: int) -> list[_Outcome]:
    """What the journal of a run that was stopped says; nothing where it does not go with the pixels."""
    try:
        lines = journal.read_text(encoding="utf-8").splitlines(keepends=True)
        recorded = [json.loads(line) for line in lines if line.endswith("\n")]
        outcomes = [outcome if isinstance(outcome, str) else FileFacts(*outcome) for outcome in recorded]
        decoded = sum(not isinstance(outcome, str) for outcome in outcomes)
        return outcomes if pixels.stat().st_size >= _HEADER_BYTES + decoded * image_bytes else []
    except (OSError, ValueError, TypeError):
        return []


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise BadInput(
            f"{folder}: decoded images need {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; "
            "ARCHLAB_CACHE chooses another place"
        )


def _write_header(pixels: Path, shape: tuple[int, ...]) -> None:
    """Make it a safetensors file: eight bytes of length, then JSON, filled up with spaces."""
    tensor = {"dtype": "F32", "shape": shape, "data_offsets": [0, _length(shape)]}
    header = json.dumps({"images": tensor}).encode().ljust(_HEADER_BYTES - 8)
    with pixels.open("r+b") as file:
        file.write(len(header).to_bytes(8, "little") + header)


def _lines(outcomes: Sequence[_Outcome]) -> str:
    return "".join(json.dumps(outcome) + "\n" for outcome in outcomes)


def _length(shape: tuple[int, ...]) -> int:
    """Bytes of a float32 array."""
    return math.prod(shape) * np.dtype(np.float32).itemsize
