"""WebDataset and img2dataset shards: tar archives of ``key.jpg``, ``key.txt``, ``key.json``; nothing is extracted."""

import json
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from archlab.data.pairs import IMAGE_SUFFIXES, LONGEST_CAPTION, NO_IMAGE, FileFormat, Listing, Location, Source

DAMAGED_SHARD = "shard that is damaged or cut off"
KEY_TWICE = "key twice in a shard"
NOT_PLAIN = "link or device in a shard"
_TEXTS = {"txt": "text", "json": "json"}
_LONGEST_JSON = 16 * LONGEST_CAPTION


def open_shards(location: Location) -> Source | None:
    """A shard, or a folder that has some anywhere below; see `shard_source`."""
    path = location.path
    if path.is_file():
        return shard_source(path.parent, [path], Counter()) if path.suffix == ".tar" else None
    shards = [file for file in location.files if file.suffix == ".tar"]
    return shard_source(path, shards, location.left_out) if shards else None


SHARDS = FileFormat("*.tar shards of key.jpg and key.txt or key.json", "a .tar shard", open_shards)


def shard_source(root: Path, shards: list[Path], left_out: Counter[str]) -> Source:
    """The images of these archives, each with the caption in the ``.txt`` of its key, else in the ``.json``."""

    def list_pairs() -> Listing:
        listing = Listing(left_out=Counter(left_out))
        for shard in shards:
            _list(shard, listing)
        return listing

    return Source("WebDataset shards", root, shards, list_pairs)


def _list(shard: Path, listing: Listing) -> None:
    samples: dict[str, dict[str, tuple[int, int]]] = {}
    for member in _members(shard, listing.left_out):
        if not member.isfile() or member.issparse():
            listing.left_out[NOT_PLAIN] += not member.isdir()
            continue
        key, part = _split(member.name)
        if part:
            sample = samples.setdefault(key, {})
            listing.left_out[KEY_TWICE] += part in sample
            sample.setdefault(part, (member.offset_data, member.size))
    if not samples:
        return
    with shard.open("rb") as file:
        for sample in samples.values():
            if "image" in sample:
                texts = {part: _read(file, *sample[part]) for part in _TEXTS.values() if part in sample}
                listing.add(shard, *sample["image"], _caption(texts))
            else:
                listing.left_out[NO_IMAGE] += 1


def _members(shard: Path, left_out: Counter[str]) -> Iterator[tarfile.TarInfo]:
    """The members as far as the archive is whole."""
    end = -1
    try:
        with tarfile.open(shard, "r:") as archive:
            for member in archive:
                if member.offset <= end or member.size < 0:  # a negative size leads back, for ever
                    raise tarfile.ReadError
                end = member.offset
                yield member
    except Exception:  # tarfile raises nearly anything on a damaged header
        left_out[DAMAGED_SHARD] += 1


def _split(name: str) -> tuple[str, str]:
    """Key, and what of its sample this is: ``image``, ``text``, ``json`` or nothing that matters here.

    The key ends at the first dot after the last slash, as WebDataset has it.
    """
    folder, _, base = name.rpartition("/")
    stem, _, suffix = base.partition(".")
    part = "image" if f".{suffix.lower()}" in IMAGE_SUFFIXES else _TEXTS.get(suffix.lower(), "")
    return f"{folder}/{stem}", part


def _read(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(min(length, _LONGEST_JSON))


def _caption(texts: dict[str, bytes]) -> Any:
    """What the texts of a sample give as its caption."""
    if "text" in texts:
        return texts["text"]
    try:
        facts = json.loads(texts.get("json", b""))
    except (ValueError, RecursionError):
        return None
    if not isinstance(facts, dict):
        return None
    return facts.get("caption", facts.get("text"))
