"""The files of a data set: plain ones below its folder, and no others."""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from archlab.data.left_out import LeftOut, Omission

LINK_OUT = "link out of the folder"
LINK_TO_FOLDER = "link to a folder"
BROKEN_LINK = "link that leads nowhere"
UNREADABLE_FOLDER = "folder that cannot be read"
NOT_PLAIN = "device, pipe or socket"


@dataclass(frozen=True)
class Location:
    """A folder, and files below it.

    Attributes:
        root: without links.
        left_out: what was met on the way to the files.
        named: the one that somebody named, if it was not the folder.
    """

    root: Path
    files: list[Path]
    left_out: Mapping[str, Omission] = field(default_factory=dict)
    named: Path | None = None


def files_below(root: Path) -> Location:
    """Every plain file that is not hidden, in the order of names. Links to files below the root are files, too."""
    root, files, left_out = Path(os.path.realpath(root)), list[Path](), LeftOut({})
    waiting = [root]
    while waiting:
        folders = []
        for path in _shown(waiting.pop(), root, left_out):
            kind = _kind(path, root)
            if kind == _FOLDER:
                folders.append(path)
            elif kind == _FILE:
                files.append(path)
            else:
                left_out.add(kind, path.relative_to(root).as_posix())
        waiting += reversed(folders)
    return Location(root, files, left_out.counted())


def files_in(folders: list[Path], root: Path) -> list[Path]:
    """Those directly in these folders, as for `files_below`; what cannot be read is passed over."""
    unseen = LeftOut({})
    return [path for folder in folders for path in _shown(folder, root, unseen) if _kind(path, root) == _FILE]


_FOLDER, _FILE = "folder", "file"


def _shown(folder: Path, root: Path, left_out: LeftOut) -> Iterator[Path]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        left_out.add(UNREADABLE_FOLDER, folder.relative_to(root).as_posix())
        return
    yield from (folder / name for name in names if not name.startswith("."))


def _kind(path: Path, root: Path) -> str:
    """``folder``, ``file``, or the reason why it is left out."""
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            leads_to = Path(os.path.realpath(path, strict=True))
            if not leads_to.is_relative_to(root):
                return LINK_OUT
            mode = leads_to.stat().st_mode
            if stat.S_ISDIR(mode):
                return LINK_TO_FOLDER
    except OSError:
        return BROKEN_LINK
    if stat.S_ISDIR(mode):
        return _FOLDER
    return _FILE if stat.S_ISREG(mode) else NOT_PLAIN
