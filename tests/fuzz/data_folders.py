"""Random edits of data folders in every layout: of texts, archives and pictures, and of what else may lie there."""

import gzip
import io
import json
import os
import random
import shutil
import tarfile
import unicodedata
from collections.abc import Callable
from pathlib import Path

from tests.data.layouts import LAYOUTS, samples
from tests.fuzz.edits import edit_bytes

IMAGES = 3  # of one alone nobody learns
_LARGEST = 2**22  # bytes
_BLOCK = tarfile.BLOCKSIZE
_ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "latin-1", "utf-8-sig")
_RUBBISH = (
    "",
    "\0",
    '"',
    ",",
    "\n",
    "\r",
    "[" * 100_000,
    "9" * 10_000,
    "\u202e\x1b[2J",
    "{}",
    "null",
    "\ud800",
    "a" * 300_000,
)


def edit_data(place: Path, source: random.Random) -> str:
    """Make the folder anew in one layout, and edit it in up to three random ways; what was done, in words."""
    layout = source.choice([name for name in LAYOUTS if name not in ("one shard", "COCO's annotations")])
    shutil.rmtree(place, ignore_errors=True)
    LAYOUTS[layout](place, samples(IMAGES))
    said = [_made(edit, place, source) for edit in source.choices(_EDITS, _WEIGHTS, k=source.randrange(1, 4))]
    return f"{layout}: {', '.join(said)}"


def _made(edit: Callable[[Path, random.Random], str], place: Path, source: random.Random) -> str:
    try:
        return edit(place, source)
    except OSError as error:  # an earlier edit stands in its way
        return f"no {edit.__name__.strip('_')} for {error.strerror}"


def _files(place: Path) -> list[Path]:
    """Those that can be read in no time."""
    plain = (path for path in place.rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(path for path in plain if path.stat().st_size < _LARGEST) or [place / "made"]


def _bytes(place: Path, source: random.Random) -> str:
    path = source.choice(_files(place))
    path.touch()
    return edit_bytes(path, source)


def _text(place: Path, source: random.Random) -> str:
    """Rubbish somewhere in a text, at the end of a line, or in all its lines."""
    texts = [path for path in _files(place) if path.suffix.lower() in (".txt", ".csv", ".jsonl", ".json")]
    path = source.choice(texts or _files(place))
    content = path.read_text(encoding="utf-8", errors="surrogateescape") if path.exists() else ""
    rubbish = source.choice(_RUBBISH)
    at = source.randrange(len(content) + 1)
    content = source.choice(
        [content[:at] + rubbish + content[at:], content.replace("\n", rubbish + "\n", 1), (rubbish + "\n") * 50]
    )
    path.write_bytes(content.encode("utf-8", errors="surrogatepass"))
    return f"{rubbish[:10]!r} in {path.name}"


def _encode(place: Path, source: random.Random) -> str:
    path, encoding = source.choice(_files(place)), source.choice(_ENCODINGS)
    content = path.read_bytes() if path.exists() else b""
    path.write_bytes(content.decode("utf-8", errors="replace").encode(encoding, errors="replace"))
    return f"{path.name} in {encoding}"


def _row(place: Path, source: random.Random) -> str:
    """A row with any values in any fields."""
    values = [None, 1e308, -1, True, [], {}, [["a"]], {"a": "b"}, "0000.png", "../0000.png", "a" * 5_000, "C:\\a.png"]
    names = ["file_name", "image", "text", "caption", "prompt", "Text ", ""]
    row = {name: source.choice(values) for name in source.sample(names, source.randrange(len(names)))}
    path = source.choice([*_files(place), place / "metadata.jsonl"])
    if path.is_fifo():  # whose other end nobody reads
        path.unlink()
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" + (json.dumps(row) if source.random() < 0.7 else ",".join(map(str, row.values()))) + "\n")
    return f"a row in {path.name}"


def _header(place: Path, source: random.Random) -> str:
    """A header of an archive with a field of random bytes or a large number, its checksum right."""
    path, blocks = _archive(place)
    at = _BLOCK * source.randrange(len(blocks) // _BLOCK)
    field, length = source.choice([(0, 100), (124, 12), (156, 1), (257, 8), (345, 155), (482, 1)])
    value = source.choice(
        [
            bytes(source.randrange(256) for _ in range(length)),
            b"\x80" + (10**18).to_bytes(11, "big") if length == 12 else b"\xff" * length,
            source.choice([b"x", b"g", b"L", b"K", b"S", b"1", b"2", b"X", b"9"]) * length,
            b"7" * (length - 1) + b"\0",
        ]
    )
    blocks[at + field : at + field + length] = value[:length]
    blocks[at + 148 : at + 156] = b"%06o\0 " % tarfile.calc_chksums(bytes(blocks[at : at + _BLOCK]))[0]
    path.write_bytes(blocks)
    return f"a header of {path.name} has {value[:8]!r} at {field}"


def _extension(place: Path, source: random.Random) -> str:
    """An extended header before some member, with what makes readers slow or wrong."""
    path, blocks = _archive(place)
    at = _BLOCK * source.randrange(len(blocks) // _BLOCK)
    content = source.choice(
        [
            b"1" * source.choice([10, 100_000, 900_000]),
            b"%d path=%s\n" % (source.randrange(30), b"a.png"),
            b"16 size=%07d\n" % source.randrange(10**7),
            b"22 GNU.sparse.size=1\n\n",
            b"n" * 200_000,
            b"9 path=a\n" * 20_000,
        ]
    )
    member = tarfile.TarInfo("extended")
    member.type, member.size = source.choice([b"x", b"g", b"L", b"K", b"X"]), len(content)
    if source.random() < 0.2:
        member.size = 3 * 2**30
    blocks[at:at] = member.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % _BLOCK)
    path.write_bytes(blocks)
    return f"{member.type!r} of {member.size} bytes, {content[:8]!r}, in {path.name}"


def _archive(place: Path) -> tuple[Path, bytearray]:
    """An archive that is there, or one of what is there."""
    path = next((path for path in _files(place) if path.suffix == ".tar"), place / "all.tar")
    if not path.exists():
        with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
            for file in [file for file in _files(place) if file.exists() and file != path]:
                archive.add(file, file.name)
    content = bytearray(path.read_bytes())
    return path, content if len(content) >= _BLOCK else bytearray(_BLOCK)


def _compress(place: Path, source: random.Random) -> str:
    path = source.choice(_files(place))
    path.touch()
    path.with_name(path.name + source.choice(["", ".gz", ".tar.gz"])).write_bytes(gzip.compress(path.read_bytes()))
    return f"{path.name} compressed"


def _rename(place: Path, source: random.Random) -> str:
    path = source.choice(_files(place))
    path.touch()
    name = source.choice(
        [
            os.fsdecode(b"\xff\xfe") + path.suffix,
            unicodedata.normalize("NFD", "café") + path.suffix,
            "a\n\x1b[31m" + path.suffix,
            "metadata.csv",
            "metadata.jsonl",
            "captions_x.json",
            path.stem,
            "n" * (250 - len(path.suffix)) + path.suffix,
            path.stem + source.choice([".png", ".tar", ".json", ".txt", ".tga", ".jp2", ".ppm", ".dds"]),
        ]
    )
    path.rename(path.with_name(name))
    return f"{path.name} is called {name!r}"


def _link(place: Path, source: random.Random) -> str:
    name, target = source.choice(["0.png", "a", "0.txt", "x.tar", "metadata.csv"]), None
    target = source.choice(["/proc/self", "/dev/zero", "/", "..", ".", "gone", name, _files(place)[0].name])
    path = place / f"link {name}" if (place / name).exists() else place / name
    path.symlink_to(target)
    return f"{path.name} leads to {target}"


def _odd_entry(place: Path, source: random.Random) -> str:
    name = source.choice(["0.png", "metadata.csv", "metadata.jsonl", "a.tar", "0000.txt", "captions_a.json"])
    path = place / source.choice(["", "annotations", "train", "test"]) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        path.unlink()
    if source.random() < 0.3:
        path.mkdir()
    elif source.random() < 0.3:
        os.mkfifo(path)
    else:
        with path.open("wb") as file:
            file.truncate(source.choice([0, 1, 2**20, 5 * 2**30]))
    return f"{path.relative_to(place)} of an odd kind"


def _deep(place: Path, source: random.Random) -> str:
    path = place
    for _ in range(source.choice([30, 100])):
        path = path / source.choice(["a", "train", "test", "b" * 20])
    path.mkdir(parents=True, exist_ok=True)
    return "deep folders"


def _bomb(place: Path, source: random.Random) -> str:
    """A small file that is a large picture."""
    from PIL import Image

    side, buffer = source.choice([100, 4_000, 8_000]), io.BytesIO()
    Image.new(source.choice(["L", "RGB", "P", "1", "RGBA"]), (side, side)).save(buffer, "PNG")
    path = source.choice([path for path in _files(place) if path.suffix.lower() == ".png"] or [place / "bomb.png"])
    path.write_bytes(buffer.getvalue())
    return f"{path.name} of {side} pixels a side"


_WEIGHTED: dict[Callable[[Path, random.Random], str], int] = {
    _bytes: 6,
    _text: 6,
    _encode: 2,
    _row: 4,
    _header: 5,
    _extension: 4,
    _compress: 1,
    _rename: 3,
    _link: 3,
    _odd_entry: 3,
    _deep: 1,
    _bomb: 1,
}
_EDITS, _WEIGHTS = list(_WEIGHTED), list(_WEIGHTED.values())
