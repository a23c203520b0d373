"""WebDataset and img2dataset shards: tar archives of ``key.jpg``, ``key.txt``, ``key.json``; nothing is extracted."""

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from archlab.data.captions import LONGEST_FILE, SUFFIXES, in_file
from archlab.data.pairs import NO_IMAGE, UNREADABLE, FileFormat, Listing, Pair
from archlab.data.pixels import LARGEST_FILE, is_image
from archlab.data.tar import DamagedArchive, Member, is_compressed, members
from archlab.data.walk import Location

DAMAGED_SHARD = "shard that is damaged or cut off"
COMPRESSED = "shard that is compressed; unpack it to a .tar"
KEY_TWICE = "key twice in a shard"
NOT_PLAIN = "link or device in a shard"
ALSO_LOOSE = "image in a shard that lies beside it, too"
_IMAGE = "image"
_SUFFIX = re.compile(r"\.(tar(\.(gz|bz2|xz|zst))?|tgz|tbz2?|txz|tzst)$", re.IGNORECASE)


def open_shard(path: Path) -> Location | None:
    """One shard."""
    return Location(path.resolve().parent, [path.resolve()], named=path.resolve()) if _is_shard(path) else None


def read_shards(location: Location, listing: Listing) -> None:
    """The images of archives, each with the caption in the ``.txt`` of its key, or another file of its key.

    Images that were already found beside the archives are not taken again.
    """
    shards = [path for path in location.files if _is_shard(path)]
    loose = _Loose(listing.pairs if shards else [])
    listing.used.update(shards)
    for shard in shards:
        try:
            if is_compressed(shard):
                listing.left_out.add(COMPRESSED, listing.name(shard))
            else:
                _read(shard, loose, listing)
        except OSError:
            listing.left_out.add(UNREADABLE, listing.name(shard))


SHARDS = FileFormat(
    "WebDataset shards", "*.tar shards of key.jpg and key.txt or key.json", "a .tar shard", open_shard, read_shards
)


def _is_shard(path: Path) -> bool:
    return _SUFFIX.search(path.name) is not None


class _Loose:
    """The images that were found beside archives, by their content."""

    def __init__(self, pairs: list[Pair]) -> None:
        self._by_size = defaultdict[int, list[Path]](list)
        for pair in pairs:
            self._by_size[pair.length].append(pair.path)
        self._digests: dict[int, set[bytes]] = {}

    def has(self, file: BinaryIO, member: Member) -> bool:
        if member.size not in self._by_size or member.size > LARGEST_FILE:
            return False
        if member.size not in self._digests:
            self._digests[member.size] = {_digest(path.read_bytes()) for path in self._by_size[member.size]}
        return _digest(_start(file, member, member.size)) in self._digests[member.size]


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _read(shard: Path, loose: _Loose, listing: Listing) -> None:
    with shard.open("rb") as file:
        for key, sample in _samples(shard, listing).items():
            image = sample.pop(_IMAGE, None)
            if image is None:
                listing.left_out.add(NO_IMAGE, key)
            elif loose.has(file, image):
                listing.left_out.add(ALSO_LOOSE, key)
            else:
                name = f"{listing.name(shard)}/{image.name}"
                listing.add_part(name, shard, image.offset, image.size, _candidates(file, sample))


def _samples(shard: Path, listing: Listing) -> dict[str, dict[str, Member]]:
    """By its key what a sample has: the image, and by their suffixes what may hold its caption."""
    samples = defaultdict[str, dict[str, Member]](dict)
    try:
        for member in members(shard):
            name = f"{listing.name(shard)}/{member.name}"
            key, suffix = _split(name)
            part = _IMAGE if is_image(name) else suffix
            if not member.is_plain:
                listing.left_out.add(NOT_PLAIN, name)
            elif name.rpartition("/")[2].startswith("."):
                continue  # hidden, as macOS's ._0.jpg
            elif part != _IMAGE and part not in SUFFIXES:
                listing.leave_unknown(name)
            elif part in samples[key]:
                listing.left_out.add(KEY_TWICE, name)
            else:
                samples[key][part] = member
    except DamagedArchive:
        listing.left_out.add(DAMAGED_SHARD, listing.name(shard))
    return samples


def _split(name: str) -> tuple[str, str]:
    """Key and suffix in lower case; unlike WebDataset's, the key may have dots."""
    key, suffix = os.path.splitext(name)
    return key, suffix.lower()


def _candidates(file: BinaryIO, sample: dict[str, Member]) -> Iterator[Any]:
    for suffix in SUFFIXES:
        if suffix in sample:
            yield from in_file(suffix, _start(file, sample[suffix], LONGEST_FILE))


def _start(file: BinaryIO, member: Member, most: int) -> bytes:
    file.seek(member.offset)
    return file.read(min(member.size, most))
