"""What a data set on a disk gives: pairs of an image, not yet read, and its caption; and what it leaves out."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from archlab.cache import content_hash
from archlab.data.captions import chosen
from archlab.data.left_out import LeftOut, Unusable, legible
from archlab.data.walk import Location

NO_IMAGE = "caption without its image"
TWICE = "listed twice"
OUTSIDE = "path outside the folder"
UNREADABLE, UNKNOWN = "file that cannot be read", "file that is not read"


class Pair(NamedTuple):
    """An image and its caption.

    Attributes:
        name: of the image below the root, like ``a/0.png``, or ``0.tar/0.png`` in an archive.
        path, offset, length: the bytes of its file, or of the archive that holds it.
        split: that the data set has it in, ``train`` or ``validation``; empty where it has none.
    """

    name: str
    path: Path
    offset: int
    length: int
    caption: str
    split: str = ""


class Listing:
    """The pairs of a location in a fixed order, and what is left out.

    Attributes:
        kinds: of the formats that gave pairs, in words.
        used: files that need no further look: their images or captions were taken, or left out for a reason.
    """

    def __init__(self, location: Location) -> None:
        self.pairs: list[Pair] = []
        self.kinds: list[str] = []
        self.used: set[Path] = set()
        self.left_out = LeftOut(location.left_out)
        self._root = location.root

    def name(self, path: Path) -> str:
        """The path below the root, with slashes."""
        return path.relative_to(self._root).as_posix()

    def leave_unknown(self, name: str) -> None:
        """Count a file that nobody here knows how to read."""
        suffix = PurePosixPath(name).suffix.lower()
        self.left_out.add(f"{UNKNOWN}: {legible(suffix) or 'without a suffix'}", name)

    def add(self, path: Path, candidates: Iterable[Any]) -> None:
        """Take the image in a file with the first candidate that is a caption; see `chosen`."""
        self.used.add(path)
        try:
            length = path.stat().st_size
        except OSError:  # gone meanwhile
            self.left_out.add(UNREADABLE, self.name(path))
        else:
            self.add_part(self.name(path), path, 0, length, candidates)

    def add_part(self, name: str, path: Path, offset: int, length: int, candidates: Iterable[Any]) -> None:
        """The same for an image in a part of a file."""
        try:
            caption = chosen(candidates, name.rpartition("/")[2])
        except Unusable as reason:
            self.left_out.add(reason, name)
        else:
            self.pairs.append(Pair(name, path, offset, length, caption))


@dataclass(frozen=True)
class FileFormat:
    """A way in which captioned images lie on a disk.

    Attributes:
        kind: in a few words.
        looked_for: what a folder has to hold, for an error's message.
        file: what a file of it is called there; empty where only a folder is of this format.
        open_file: where such a file is, with what belongs to it; None where it is not of this format.
        read: adds what is of this format, of files that were not used yet.
    """

    kind: str
    looked_for: str
    file: str
    open_file: Callable[[Path], Location | None]
    read: Callable[[Location, Listing], None]


@dataclass(frozen=True)
class Source:
    """Where captioned images come from.

    Attributes:
        formats: names of those that it is read in.
        list_pairs: lists what is there.
    """

    location: Location
    formats: tuple[str, ...]
    list_pairs: Callable[[], Listing]

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the name below the root, size and time of each file: while they stay, so does the listing."""
        return content_hash(self.formats, [self._known(path) for path in self.location.files])

    def _known(self, path: Path) -> tuple[str, int, int]:
        try:
            known = path.stat()
        except OSError:  # gone meanwhile
            return str(path), -1, -1
        return path.relative_to(self.location.root).as_posix(), known.st_size, known.st_mtime_ns
