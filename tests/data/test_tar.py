"""Tar archives as others write them, and as somebody makes them who means harm."""

import gzip
import io
import tarfile
import time
from pathlib import Path

import pytest

from archlab.data.load import load_data
from archlab.data.tar import DamagedArchive, Member, members
from archlab.errors import BadInput
from tests.data.layouts import images, png, write_tar

SAMPLE = [("a.png", png(0)), ("a.txt", b"a"), ("b.png", png(1)), ("b.txt", b"b")]


def header(name: str, kind: bytes, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


def extended(content: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    return header("extended", kind, len(content)) + content + bytes(-len(content) % 512)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_are_those_that_python_finds(form: int, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    long = form != tarfile.USTAR_FORMAT
    names = ["a.png", "ü/b.png", "d" * 60 + "/" + "e" * 80 + ".txt", *(["n" * 300, "p/" * 200 + "q"] if long else [])]
    with tarfile.open(path, "w", format=form) as archive:
        for index, name in enumerate(names):
            member = tarfile.TarInfo(name)
            member.size, member.mtime = 700 * index, 1.5 if long else 1
            archive.addfile(member, io.BytesIO(bytes(member.size)))
        folder, link = tarfile.TarInfo("folder"), tarfile.TarInfo("link")
        folder.type, link.type, link.linkname = tarfile.DIRTYPE, tarfile.SYMTYPE, "l" * 200 if long else "l"
        archive.addfile(folder)
        archive.addfile(link)
    with tarfile.open(path) as archive:
        expected = [
            Member(member.name, member.offset_data, member.size, member.isfile())
            for member in archive
            if not member.isdir()
        ]
    assert list(members(path)) == expected


@pytest.mark.parametrize(
    "content",
    [
        extended(b"1" * 400_000),  # quadratic in Python 3.11.7
        extended(b"9 path=a\n" * 40_000 + b"0 path=a\n"),
        extended(b"99999999 path=a\n"),
        extended(b"-9 path=a\n"),
        extended(b"10 size=x\n") + header("a", tarfile.REGTYPE, 0),
        extended(b"11 size=-9\n") + header("a", tarfile.REGTYPE, 0),
        extended(b"n" * 2**21, tarfile.GNUTYPE_LONGNAME),
        header("a", tarfile.GNUTYPE_SPARSE, 5 * 2**30),
    ],
)
def test_a_header_that_would_cost_much_is_damage(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "0.tar").write_bytes(write_tar(tmp_path / "1.tar", SAMPLE).read_bytes()[:-10_240] + content)
    started = time.process_time()
    with pytest.raises(DamagedArchive):
        list(members(tmp_path / "0.tar"))
    assert time.process_time() - started < 2  # Python's own reader: minutes for the first


def test_a_header_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    for name in ("0.tar", "1.tar"):
        with (tmp_path / name).open("wb") as file:
            file.write(header("x", tarfile.XHDTYPE, 3 * 2**30))
            file.truncate(4 * 2**30 if name == "0.tar" else 2**20)
    with pytest.raises(BadInput, match=r"2 × shard that is damaged or cut off \(0.tar, 1.tar\)"):
        load_data(str(tmp_path), 20)


def test_archives_one_after_another_are_read_on(tmp_path: Path) -> None:
    first, second = write_tar(tmp_path / "a", SAMPLE[:2]), write_tar(tmp_path / "b", SAMPLE[2:])
    (tmp_path / "0.tar").write_bytes(first.read_bytes() + second.read_bytes())
    assert load_data(str(tmp_path / "0.tar"), 20).captions == ["a", "b"]


@pytest.mark.parametrize("name", ["0.TAR", "0.tar", "a.b/0.Tar"])
@pytest.mark.parametrize("key", ["shot.v2.{}", "./shot{}", "v1.0/{}", "{}"])
def test_keys_may_have_dots_and_names_capitals(name: str, key: str, tmp_path: Path) -> None:
    members = [(f"{key.format(k)}.{s}", c) for k in range(3) for s, c in (("PNG", png(k)), ("txt", b"%d" % k))]
    (tmp_path / name).parent.mkdir(exist_ok=True)
    write_tar(tmp_path / name, [*members, ("._0.png", b"of macOS")])
    data = load_data(str(tmp_path), 20)
    assert (data.captions, data.origin.left_out) == (["0", "1", "2"], {})


@pytest.mark.parametrize("name", ["0.tar", "0.tar.gz", "0.TGZ"])
def test_a_compressed_shard_is_called_so(name: str, tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "a", SAMPLE)
    (tmp_path / name).write_bytes(gzip.compress(archive.read_bytes()))
    archive.unlink()
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(BadInput, match=rf"1 × shard that is compressed; unpack it to a .tar \({name}\)"):
            load_data(str(path), 20)


def test_an_archive_hides_no_image_and_none_is_taken_twice(tmp_path: Path) -> None:
    images(tmp_path, ["0.png", "1.png", "2.png"])
    for index in range(3):
        (tmp_path / f"{index}.txt").write_text(str(index))
    write_tar(tmp_path / "notes.tar", [("notes/readme.md", b"")])
    write_tar(tmp_path / "photos.tar", [("x/0.png", png(0)), ("x/1.png", png(1)), ("x/1.txt", b"older")])
    write_tar(tmp_path / "more.tar", [("y.png", png(9)), ("y.txt", b"more"), ("z.png", png(8))])
    data = load_data(str(tmp_path), 20)
    assert data.captions == ["0", "1", "2", "more"]
    assert data.origin.kind == "a folder of captioned images and WebDataset shards"
    assert {reason: known.places for reason, known in data.origin.left_out.items()} == {
        "image in a shard that lies beside it, too": ("photos.tar/x/0", "photos.tar/x/1"),
        "file that is not read: .md": ("notes.tar/notes/readme.md",),
        "no caption": ("more.tar/z.png",),
    }
