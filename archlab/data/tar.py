"""What is in a tar archive. It may be anybody's: headers are read once, in their order, and none beyond a bound."""

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

_BLOCK = tarfile.BLOCKSIZE
_LONGEST_EXTENSION = 2**20  # bytes of a member's long name and attributes
_MOST_EMPTY_BLOCKS = 2**11  # between archives that were put one after another
_PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_EXTENSIONS = (*_PAX, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")  # gzip, bzip2, xz, zstd


class DamagedArchive(Exception):
    """It is no tar archive, or not a whole one."""


class Member(NamedTuple):
    """A member that is no folder.

    Attributes:
        offset, size: of its bytes in the archive.
        is_plain: it is a file, not a link, a device or sparse.
    """

    name: str
    offset: int
    size: int
    is_plain: bool


def is_compressed(path: Path) -> bool:
    """Whether a file is, whatever its name."""
    with path.open("rb") as file:
        return file.read(8).startswith(_COMPRESSED)


def members(path: Path) -> Iterator[Member]:
    """Every member but the folders, as far as the archive is whole.

    Python's reader takes extended headers of any size, and quadratic time for some. Here it parses plain headers alone.

    Raises:
        DamagedArchive: after the members that come before the damage.
    """
    with path.open("rb") as file:
        at, end, empty, extended = 0, os.fstat(file.fileno()).st_size, 0, dict[str, str]()
        if not end:
            raise DamagedArchive
        while at < end and empty <= _MOST_EMPTY_BLOCKS:
            file.seek(at)
            block = file.read(_BLOCK)
            at += _BLOCK
            if not block.strip(b"\0"):
                empty += 1
                continue
            empty, header = 0, _parsed(block)
            at += _sparse_map_length(file, header, block)
            size = _size(header, extended)
            if not 0 <= size <= end - at:
                raise DamagedArchive
            if header.type in _EXTENSIONS:
                extended |= _extension(file, header, size)
            else:
                if not header.isdir():
                    yield Member(extended.get("path", header.name), at, size, _is_plain(header, extended))
                extended = {}
            at += -(-size // _BLOCK) * _BLOCK
        if at > end and not empty:
            raise DamagedArchive


def _parsed(block: bytes) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError):
        raise DamagedArchive from None


def _size(header: tarfile.TarInfo, extended: dict[str, str]) -> int:
    """Bytes that follow the header: none of a link or a device, whatever it says."""
    if header.type in _EXTENSIONS:
        return header.size
    if not header.isreg() and header.type in tarfile.SUPPORTED_TYPES:
        return 0
    try:
        return int(extended.get("size", header.size))
    except ValueError:
        raise DamagedArchive from None


def _is_plain(header: tarfile.TarInfo, extended: dict[str, str]) -> bool:
    is_sparse = header.type == tarfile.GNUTYPE_SPARSE or any(key.startswith("GNU.sparse.") for key in extended)
    return header.isreg() and not is_sparse


def _sparse_map_length(file: BinaryIO, header: tarfile.TarInfo, block: bytes) -> int:
    """Bytes between the header and the content of a file with holes, as GNU tar writes it."""
    length, goes_on = 0, header.type == tarfile.GNUTYPE_SPARSE and block[482:483] > b"\0"
    while goes_on:
        block = file.read(_BLOCK)
        length, goes_on = length + len(block), block[504:505] > b"\0"
    return length


def _extension(file: BinaryIO, header: tarfile.TarInfo, size: int) -> dict[str, str]:
    """What the header says of the member that follows."""
    if size > _LONGEST_EXTENSION:
        raise DamagedArchive
    content = file.read(size)
    if header.type == tarfile.GNUTYPE_LONGNAME:
        return {"path": content.partition(b"\0")[0].decode("utf-8", "surrogateescape")}
    return dict(_pax_records(content)) if header.type in _PAX else {}


def _pax_records(content: bytes) -> Iterator[tuple[str, str]]:
    """``25 path=a/b/c.png\\n`` each, where 25 is the length of it all."""
    start = 0
    while start < len(content) and content[start]:
        digits = content[start : start + 8].partition(b" ")[0]
        stop = start + int(digits) if digits.isdigit() else 0
        key, equals, value = content[start + len(digits) + 1 : stop].partition(b"=")
        if stop > len(content) or not equals or not value.endswith(b"\n"):
            raise DamagedArchive
        yield key.decode("utf-8", "surrogateescape"), value[:-1].decode("utf-8", "surrogateescape")
        start = stop
