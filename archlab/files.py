"""Files are written whole or not at all, and read with errors that say what mends them."""

import errno
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

from archlab.errors import BadInput, shown
from archlab.json_text import parse_json

_LONGEST_NAME = 60
_MOST_BYTES = 64_000_000
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

_UMASK = os.umask(0)
os.umask(_UMASK)  # to read it is to set it, for all threads: so it is read before there are any


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its name when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_UMASK)
        temporary.replace(path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``path`` that takes its place when the block ends without an error.

    An older folder at that place is replaced.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}.") as temporary:
        folder = Path(temporary) / "new" / path.name
        folder.mkdir(parents=True)
        yield folder
        if path.exists():
            path.rename(Path(temporary) / "old")
        folder.rename(path)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_text(path: Path, most_bytes: int = _MOST_BYTES) -> str:
    """Read a UTF-8 text file the user named, with or without a byte-order mark.

    Raises:
        BadInput: the file is absent, unreadable, larger than ``most_bytes`` or not UTF-8 text.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
        if len(content) > most_bytes:
            raise BadInput(f"{path}: more than {most_bytes / 1e6:g} MB, which no such file has")
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path}: not a UTF-8 text file") from None
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None
    except ValueError:
        raise BadInput(f"{shown(str(path))}: cannot be a path") from None


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object that archlab wrote.

    Raises:
        BadInput: the file is absent, or somebody damaged it.
    """
    try:
        content = parse_json(read_text(path))
    except ValueError as error:
        raise BadInput(f"{path}: damaged: {error}; restore it, or delete it to have it made again") from None
    if not isinstance(content, dict):
        raise BadInput(f"{path}: damaged: not an object; restore it, or delete it to have it made again")
    return content


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content, in 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def writable_folder(path: Path) -> Path:
    """Make the folder and prove that it can be written.

    Raises:
        BadInput: it cannot be made or written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror})") from None
    return path


def file_name(name: str) -> str:
    """What a user called an architecture as a part of a file's name; of a long one the end."""
    return re.sub(r"[^\w.+]+", "_", name).strip("._")[-_LONGEST_NAME:] or "_"


def is_full(error: BaseException) -> bool:
    """Whether a write failed for want of room; some errors have the operating system's in their message only."""
    told = (f"os error {number}" for number in _NO_ROOM), (os.strerror(number) for number in _NO_ROOM)
    return getattr(error, "errno", None) in _NO_ROOM or any(words in str(error) for words in chain(*told))
