"""One cache on disk for whatever can be computed again: entries, their locks, one limit, eviction.

``$ARCHLAB_CACHE/<kind>/<entry>``; an entry is a file or a folder, named by the hash of what decides it. What begins
with a dot is no entry: locks, temporaries, and ``.kind``, in which a folder says what its entries are, so that
they can be listed without the code that makes them. A folder without that is not the cache's, and is left alone.
"""

import hashlib
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import platformdirs
from filelock import FileLock, Timeout

from archlab.errors import BadInput, nearest, shown
from archlab.files import writable_folder, write_text

LIMIT_GB = 20.0
IN_USE_SECONDS = 3600.0  # what was used so lately may be in use
ABANDONED_SECONDS = 86400.0  # a temporary that nothing was written to for so long was left by a kill

_ABOUT, _LOCKS = ".kind", ".locks"
_DIGITS = 16


def content_hash(*parts: object) -> str:
    """16 hexadecimal digits of ``parts``: what JSON can hold, and bytes."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=_digest).encode()).hexdigest()[:_DIGITS]


def root() -> Path:
    """``$ARCHLAB_CACHE``, by default in the user's cache directory. Safe to delete while nothing runs."""
    return Path(os.environ.get("ARCHLAB_CACHE") or platformdirs.user_cache_dir("archlab"))


def limit_gb() -> float:
    """``$ARCHLAB_CACHE_GB``: what all entries together may take of the disk, in 10⁹ bytes; infinite for no limit.

    Raises:
        BadInput: it is no number, or a negative one.
    """
    text = os.environ.get("ARCHLAB_CACHE_GB") or str(LIMIT_GB)
    with suppress(ValueError):
        if (limit := float(text)) >= 0:
            return limit
    raise BadInput(
        f"ARCHLAB_CACHE_GB: a number of gigabytes is needed but it is {shown(text)}; give 0 or more, or inf for no "
        "limit"
    )


def check_usable() -> None:
    """Refuse a cache that nothing can be written to, before work is done whose result it should hold.

    Raises:
        BadInput: its folder cannot be written, or see `limit_gb`.
    """
    limit_gb()
    writable_folder(root())


@dataclass(frozen=True)
class Kind:
    """A kind of entries; whoever makes them declares it.

    Attributes:
        name: of its folder, and what ``archlab cache`` calls it.
        about: what its entries are, in one line.
        evictable: whether the limit may take them; not where only the user can make them again.
    """

    name: str
    about: str
    evictable: bool = True

    @property
    def path(self) -> Path:
        """Its folder, whether it is there or not."""
        return root() / self.name

    def folder(self) -> Path:
        """Its folder, made where it is missing.

        Raises:
            BadInput: it cannot be made or written.
        """
        folder = writable_folder(self.path)
        if _kind_of(folder) != self:
            with suppress(OSError):
                write_text(folder / _ABOUT, json.dumps(asdict(self)))
        return folder

    def entry(self, name: str) -> "Entry":
        """The entry of this name, whether it is there or not.

        Raises:
            BadInput: see `limit_gb`.
        """
        limit_gb()
        return Entry(self, self.path / name)

    def entries(self) -> list["Entry"]:
        """Those that are there, by name."""
        try:
            paths = sorted(self.path.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [Entry(self, path) for path in paths if not path.name.startswith(".")]


@dataclass(frozen=True)
class Entry:
    """One file or folder of the cache, whether it is there or not."""

    kind: Kind
    path: Path

    def use(self) -> Path | None:
        """Its path, marked as used now; None where it is not there."""
        try:
            os.utime(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:  # a cache that may be read alone
            pass
        return self.path

    def hold(self) -> None:
        """Mark it as used now, and whenever this process makes room: it is mapped into memory."""
        _held.add(self)
        self.use()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One process makes an entry while others wait; what is locked is not evicted.

        Raises:
            BadInput: the cache cannot be written.
        """
        self.kind.folder()
        self._lock.parent.mkdir(exist_ok=True)
        with FileLock(self._lock):
            yield

    @contextmanager
    def written(self) -> Iterator[Path]:
        """Yield a path to make a file or a folder at, which becomes the entry when the block ends without an error.

        Raises:
            BadInput: the cache cannot be written.
            OSError: the disk is full.
        """
        folder = self.kind.folder()
        with tempfile.TemporaryDirectory(dir=folder, prefix=".making-", ignore_cleanup_errors=True) as temporary:
            new = Path(temporary) / self.path.name
            yield new
            os.utime(new)
            if self.path.is_dir() or new.is_dir():
                with suppress(FileNotFoundError):
                    self.path.rename(Path(temporary) / "old")
            new.replace(self.path)
        make_room()

    def keep(self, write: Callable[[Path], object]) -> None:
        """Write it as in `written`. A full disk costs the next one its time, not this one its result."""
        with suppress(OSError, BadInput), self.written() as path:
            write(path)

    def remove(self, unused_since: float = float("inf")) -> bool:
        """Delete it, at once for whoever looks; nothing where it is locked, or was used after ``unused_since``.

        Returns:
            Whether it is gone.
        """
        gone = self.path.with_name(f".gone-{uuid4().hex}")
        try:
            with self._locked_at_once():
                if self.path.stat().st_mtime > unused_since:
                    return False
                self.path.rename(gone)
        except FileNotFoundError:
            return True
        except (Timeout, OSError):
            return False
        _delete(gone)
        return True

    @property
    def _lock(self) -> Path:
        return self.path.parent / _LOCKS / self.path.name

    def _locked_at_once(self) -> FileLock | nullcontext[None]:
        """Where there is no file of a lock, nobody holds one."""
        if not self._lock.exists():
            return nullcontext()
        return FileLock(self._lock, timeout=0)


_held: set[Entry] = set()


class Usage(NamedTuple):
    """What one kind takes of the disk.

    Attributes:
        used_at: when an entry of it was last used, in seconds since the epoch; None where there is none.
    """

    kind: Kind
    entries: int
    size: int
    used_at: float | None


class Cleared(NamedTuple):
    """What `clear` did.

    Attributes:
        size: of what is gone, in bytes.
        left: how many entries stay, for they are or may be in use.
    """

    entries: int
    size: int
    left: int


def kinds() -> list[Kind]:
    """Those that have a folder, by name."""
    try:
        folders = sorted(root().iterdir())
    except FileNotFoundError:
        return []
    return [kind for folder in folders if (kind := _kind_of(folder)) is not None]


def usage() -> list[Usage]:
    """What every kind takes."""
    found = []
    for kind in kinds():
        entries = _stated(kind.entries())
        used_at = max((entry.used_at for entry in entries), default=None)
        found.append(Usage(kind, len(entries), sum(entry.size for entry in entries), used_at))
    return found


def clear(names: Sequence[str] = (), *, in_use: bool = False) -> Cleared:
    """Delete the entries of these kinds, by default of all that are evictable.

    Args:
        in_use: also those that were used within `IN_USE_SECONDS`; those that are locked stay in any case.

    Raises:
        BadInput: there is no such kind.
    """
    there = {kind.name: kind for kind in kinds()}
    for name in names:
        if name not in there:
            raise BadInput(
                f"the cache {root()} has no {shown(name)}{nearest(name, there) if there else ': it is empty'}"
            )
    unused_since = float("inf") if in_use else time.time() - IN_USE_SECONDS
    chosen = [there[name] for name in dict.fromkeys(names)] or [kind for kind in there.values() if kind.evictable]
    entries = _stated([entry for kind in chosen for entry in kind.entries()])
    gone = [stated for stated in entries if stated.entry.remove(unused_since)]
    _delete_abandoned(chosen)
    return Cleared(len(gone), sum(stated.size for stated in gone), len(entries) - len(gone))


def make_room() -> None:
    """Evict what was not used for longest, over all kinds, until the limit is held.

    What is locked, what was used within `IN_USE_SECONDS`, locks and temporaries stay; temporaries go a day after they
    were last written to.

    Raises:
        BadInput: see `limit_gb`.
    """
    limit, there = limit_gb() * 1e9, kinds()
    for entry in _held.copy():
        entry.use()
    _delete_abandoned(there)
    entries = _stated([entry for kind in there for entry in kind.entries()])
    excess = sum(stated.size for stated in entries) - limit
    unused_since = time.time() - IN_USE_SECONDS
    for stated in sorted(entries, key=lambda stated: stated.used_at):
        if excess <= 0 or stated.used_at > unused_since:
            return
        if stated.entry.kind.evictable and stated.entry.remove(unused_since):
            excess -= stated.size


def _digest(part: bytes) -> str:
    return hashlib.sha256(part).hexdigest()


class _Stated(NamedTuple):
    entry: Entry
    used_at: float
    size: int


def _stated(entries: Sequence[Entry]) -> list[_Stated]:
    """Entries with what the disk says of them; without those that are gone meanwhile."""
    found = []
    for entry in entries:
        with suppress(OSError):
            facts = entry.path.stat()
            found.append(_Stated(entry, facts.st_mtime, _size(entry.path, facts)))
    return found


def _size(path: Path, facts: os.stat_result) -> int:
    if stat.S_ISREG(facts.st_mode):
        return facts.st_size
    return sum(facts.st_size for facts in _facts(path) if stat.S_ISREG(facts.st_mode))


def _delete_abandoned(there: Sequence[Kind]) -> None:
    before = time.time() - ABANDONED_SECONDS
    for kind in there:
        for path in kind.path.glob(".*"):
            if path.name not in (_ABOUT, _LOCKS):
                written_at = max((facts.st_mtime for facts in _facts(path)), default=before)
                if written_at < before:
                    _delete(path)


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _facts(path: Path) -> Iterator[os.stat_result]:
    """Of the path and of all that is in it; without what is deleted meanwhile."""
    with suppress(OSError):
        yield path.stat()
    for folder, names, files in os.walk(path):
        for name in (*names, *files):
            with suppress(OSError):
                yield os.stat(os.path.join(folder, name))


def _kind_of(folder: Path) -> Kind | None:
    """As it says itself; None for a folder that is none of the cache's."""
    try:
        about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        return Kind(folder.name, str(about["about"]), bool(about["evictable"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None
