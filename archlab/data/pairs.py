"""What a source of captioned images gives: pairs of an image, not yet read, and its caption; and what it left out."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PureWindowsPath
from typing import Any, NamedTuple

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
LONGEST_CAPTION = 65_536  # bytes

NO_CAPTION, EMPTY_CAPTION = "no caption", "empty caption"
NOT_TEXT, TOO_LONG = "caption is not UTF-8 text", "caption over 64 KB"
NO_IMAGE = "caption without its image"
TWICE = "listed twice"
OUTSIDE = "path outside the folder"
DAMAGED_ROW = "damaged row of metadata"
LOOP = "link to a folder that was read already"
UNREADABLE = "folder that cannot be read"


class Pair(NamedTuple):
    """An image and its caption.

    Attributes:
        path, offset, length: the bytes of its file, or of the archive that holds it.
    """

    path: Path
    offset: int
    length: int
    caption: str


@dataclass(frozen=True)
class Listing:
    """A source's pairs in a fixed order, and how many images or captions were left out, by the reason."""

    pairs: list[Pair] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def add(self, path: Path, offset: int, length: int, caption: Any) -> None:
        """Take an image with what was given as its caption: text, or a list of which one is picked by the path."""
        try:
            self.pairs.append(Pair(path, offset, length, cleaned(picked(caption, path.name))))
        except NotACaption as reason:
            self.left_out[str(reason)] += 1


@dataclass(frozen=True)
class Source:
    """Where captioned images come from.

    Attributes:
        kind: in a few words.
        root: the folder.
        files: every file that decides the listing.
        list_pairs: lists what is there.
    """

    kind: str
    root: Path
    files: list[Path]
    list_pairs: Callable[[], Listing]

    def fingerprint(self) -> Iterator[tuple[str, int, int]]:
        """Name below the root, size and time of each file: while they stay, so does the listing."""
        for path in self.files:
            known = path.stat()
            yield os.path.relpath(path, self.root), known.st_size, known.st_mtime_ns


@dataclass(frozen=True)
class Location:
    """A path that somebody gave, and what is below it, listed once."""

    path: Path
    left_out: Counter[str] = field(default_factory=Counter)

    @cached_property
    def files(self) -> list[Path]:
        """Every plain file below a folder that is not hidden; what cannot be listed is counted in ``left_out``."""
        return list(files_below(self.path, self.left_out))


@dataclass(frozen=True)
class FileFormat:
    """A way in which captioned images lie on a disk.

    Attributes:
        looked_for: what a folder has to hold, for an error's message.
        file: what a file of it is called there; empty where only a folder is of this format.
        open: the source at a location; None where it is not of this format.
    """

    looked_for: str
    file: str
    open: Callable[[Location], Source | None]


class NotACaption(Exception):
    """Its message is the reason."""


def cleaned(caption: Any) -> str:
    """The caption on one line, without control characters.

    Raises:
        NotACaption: it is none, empty, too long, or bytes that are not UTF-8 text.
    """
    if isinstance(caption, bytes):
        if len(caption) > LONGEST_CAPTION:
            raise NotACaption(TOO_LONG)
        caption = caption.decode("utf-8-sig", errors="surrogateescape")
    if not isinstance(caption, str):
        raise NotACaption(NO_CAPTION)
    if any("\ud800" <= character <= "\udfff" for character in caption):
        raise NotACaption(NOT_TEXT)
    line = "".join(character for character in " ".join(caption.split()) if character.isprintable())
    if not line:
        raise NotACaption(EMPTY_CAPTION)
    if len(line) > LONGEST_CAPTION:
        raise NotACaption(TOO_LONG)
    return line


def picked(caption: Any, name: str) -> Any:
    """One of several captions, always the same for a name; whatever is no list, or an empty one, as it is."""
    if not isinstance(caption, list) or not caption:
        return caption
    return caption[int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8]) % len(caption)]


def inside(folder: Path, name: str) -> Path | None:
    """The path of a name that a file of others gives; None where it does not lead into the folder."""
    windows = PureWindowsPath(name)  # knows both / and \
    if not name or "\0" in name or windows.drive or windows.root or ".." in windows.parts:
        return None
    return folder / name


def files_below(root: Path, left_out: Counter[str]) -> Iterator[Path]:
    """Every plain file that is not hidden, in the order of names; each folder once, links to folders followed."""
    read: set[tuple[int, int]] = set()
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            known = folder.stat()
            names = sorted(os.listdir(folder))
        except OSError:
            left_out[UNREADABLE] += 1
            continue
        if (known.st_dev, known.st_ino) in read:
            left_out[LOOP] += 1
            continue
        read.add((known.st_dev, known.st_ino))
        shown = [folder / name for name in names if not name.startswith(".")]
        waiting += reversed([path for path in shown if path.is_dir()])
        yield from (path for path in shown if path.is_file())


def in_words(left_out: Mapping[str, int]) -> str:
    """``12 × broken image, 3 × no caption``"""
    return ", ".join(f"{count:,} × {reason}" for reason, count in sorted(left_out.items(), key=lambda item: -item[1]))


def is_image(name: str) -> bool:
    """Whether the name is one of an image."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES
