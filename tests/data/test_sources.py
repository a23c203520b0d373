"""Folders, shards and COCO captions: what is found in each, and what is left out."""

import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archlab.data.captioned import CaptionedImages
from archlab.data.load import load_data
from archlab.data.pairs import FileFormat, Listing
from archlab.data.sources import BUILTIN, FILE_FORMATS
from archlab.data.walk import Location
from archlab.errors import BadInput
from tests.data.layouts import LAYOUTS, coco, metadata, pairs, png, samples, write_tar


def left_out(data: CaptionedImages) -> dict[str, int]:
    return {reason: omission.count for reason, omission in data.origin.left_out.items()}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_images_and_captions(layout: str, tmp_path: Path) -> None:
    entries = samples(12)
    data = load_data(str(LAYOUTS[layout](tmp_path / "set", entries)), 20)
    assert data.captions == [caption for _, caption in entries.values()]
    for image, (content, _) in zip(data.images, entries.values(), strict=True):
        (tmp_path / "one.png").write_bytes(content)
        expected = np.asarray(Image.open(tmp_path / "one.png")).transpose(2, 0, 1)
        np.testing.assert_array_equal(((image.numpy() + 1) * 127.5).round(), expected)
    assert sorted([*data.train.tolist(), *data.validation.tolist()]) == list(range(12))
    assert left_out(data) == {}


def test_what_a_folder_holds_of_no_use_is_counted(tmp_path: Path) -> None:
    root = pairs(tmp_path / "set", samples(4))
    (root / "alone.png").write_bytes(png(1))
    (root / "orphan.txt").write_text("nobody")
    for name, caption in {"empty": b" \n", "latin": b"gr\xfc\xdfe", "long": b"a" * 70_000}.items():
        (root / f"{name}.png").write_bytes(png(2))
        (root / f"{name}.txt").write_bytes(caption)
    (root / "broken.jpg").write_bytes(png(3)[:60])
    (root / "broken.txt").write_text("half a file")
    (root / ".hidden.png").write_bytes(png(4))
    (root / "README.md").touch()
    (root / "gone.png").symlink_to(root / "nowhere.png")
    (root / "self").symlink_to(root / "self")
    (root / "a" / "up").symlink_to(root)
    os.mkfifo(root / "pipe.png")
    data = load_data(str(root), 20)
    assert data.captions == [f"Number {index}, größer" for index in range(4)]
    assert left_out(data) == {
        "no caption": 1,
        "caption without its image": 1,
        "empty caption": 1,
        "caption is not UTF-8 or UTF-16 text": 1,
        "caption over 64 KB": 1,
        "broken image": 1,
        "link to a folder": 1,
        "link that leads nowhere": 2,
        "device, pipe or socket": 1,
        "file that is not read: .md": 1,
    }


def test_metadata_rows_of_no_use_are_counted(tmp_path: Path) -> None:
    root = metadata(tmp_path / "set", "jsonl", samples(4))
    (tmp_path / "secret.png").write_bytes(png(9))
    outside = ["/etc/passwd", "../secret.png", "images/../../secret.png", r"..\secret.png", r"C:\secret.png", "a\0b"]
    rows = [{"file_name": name, "text": "stolen"} for name in outside]
    rows += [{"file_name": "images/none.png", "text": "x"}, {"file_name": "images/0000.png", "text": "again"}]
    rows += [{"text": "no name"}, {"file_name": "images/0001.png"}, {"file_name": 7, "text": "x"}]
    damaged = ["{", "[1]", "null", "[" * 100_000, "", json.dumps({"file_name": "images/0003.png", "text": "again"})]
    with (root / "metadata.jsonl").open("a") as file:
        file.write("\n".join([*map(json.dumps, rows), *damaged]))
    data = load_data(str(root), 20)
    assert len(data.captions) == 4
    assert not any("stolen" in caption or caption == "again" for caption in data.captions)
    assert left_out(data) == {
        "path outside the folder": 6,
        "damaged row of metadata": 4,
        "row with none of the columns file_name, filename, image, image_path, file, path": 2,
        "caption without its image": 1,
        "listed twice": 3,
    }


def test_the_nearest_metadata_captions_win_over_texts_and_one_of_a_list_is_picked(tmp_path: Path) -> None:
    root = metadata(tmp_path / "set", "csv", samples(3))
    (root / "images" / "0000.txt").write_text("from the text")
    (root / "images" / "9999.png").write_bytes(png(77))
    (root / "images" / "9999.txt").write_text("only a text")
    (root / "more").mkdir()
    (root / "more" / "x.png").write_bytes(png(78))
    (root / "more" / "metadata.jsonl").write_text(json.dumps({"file_name": "x.png", "text": ["one", "two"]}))
    data = load_data(str(root), 20)
    assert data.captions[0] == "Number 0, größer"
    assert data.captions[3] == "only a text"
    assert data.captions[4] in ("one", "two")


def test_shards_that_are_damaged_give_what_is_whole(tmp_path: Path) -> None:
    whole = [
        (f"d/{index}.{suffix}", content)
        for index in range(6)
        for suffix, content in (("png", png(index)), ("txt", b"t"))
    ]
    odd = [
        ("d/0.png", png(9)),
        ("x.txt", b"no image"),
        ("y.png", png(9)),
        ("z.jpg", b"no picture"),
        ("z.json", b'{"caption": "z"}'),
    ]
    odd += [
        ("../../etc/cron.png", png(50)),
        ("../../etc/cron.txt", b"a name is but a key"),
        ("bad.png", png(1)),
        ("bad.json", b"{"),
    ]
    root = tmp_path / "set"
    root.mkdir()
    write_tar(root / "0.tar", [*whole, *odd])
    cut = write_tar(root / "1.tar", whole)
    cut.write_bytes(cut.read_bytes()[: 4 * 1024 + 700])
    (root / "2.tar").write_bytes(b"no archive at all" * 100)
    (root / "3.tar").write_bytes(b"")
    data = load_data(str(root), 20)
    assert data.captions == ["t"] * 6 + ["a name is but a key"] + ["t"] * (len(data.captions) - 7)
    assert 7 < len(data.captions) < 13
    assert {
        "shard that is damaged or cut off": 3,
        "key twice in a shard": 1,
        "caption without its image": 1,
    }.items() <= left_out(data).items()
    assert left_out(data)["no caption"] >= 2
    assert left_out(data)["broken image"] >= 1
    assert not (tmp_path / "etc").exists()


def test_a_shard_of_links_reads_no_other_file(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "set.tar", [("a.png", png(0)), ("a.txt", b"a"), ("b.png", png(1)), ("b.txt", b"b")])
    with tarfile.open(path, "a") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            member = tarfile.TarInfo("c.png")
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    data = load_data(str(path), 20)
    assert data.captions == ["a", "b"]
    assert left_out(data) == {"link or device in a shard": 4}


def test_a_shard_that_leads_back_to_its_start_ends(tmp_path: Path) -> None:
    """Sizes may be negative (CVE-2025-8194); the reading of such a header would begin again and again."""
    path = write_tar(tmp_path / "set.tar", [("a.png", png(0)), ("a.txt", b"a"), ("b.png", png(1)), ("b.txt", b"b")])
    content = bytearray(path.read_bytes())
    start = content.rindex(b"b.txt")
    content[start + 124 : start + 136] = (-start - 512).to_bytes(12, signed=True)
    content[start + 148 : start + 155] = b"%06o\0" % tarfile.calc_chksums(bytes(content[start : start + 512]))[0]
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"only one .* left out: .*1 × shard that is damaged or cut off"):
        load_data(str(path), 20)


def test_coco_captions_of_no_use_are_counted_and_one_of_five_is_always_the_same(tmp_path: Path) -> None:
    path = coco(tmp_path / "set", samples(6))
    content = json.loads(path.read_text())
    content["annotations"] = [{"image_id": k, "caption": f"{k} told {n}"} for k in range(5) for n in range(5)] + [7, {}]
    content["images"] += [{"id": 8, "file_name": "lost.png"}, {"id": 0, "file_name": "0000.png"}, {"id": 9}, "x"]
    content["images"] += [{"id": 0, "file_name": "../../secret.png"}]
    path.write_text(json.dumps(content))
    data = load_data(str(path), 20)
    assert [caption[0] for caption in data.captions] == list("01234")
    assert len({caption[-1] for caption in data.captions}) > 1
    content["images"].reverse()
    path.write_text(json.dumps(content))
    assert set(load_data(str(path.parents[1]), 20).captions) == set(data.captions)
    assert left_out(data) == {
        "caption without its image": 1,
        "listed twice": 1,
        "path outside the folder": 2,
        "no caption": 1,
    }


@pytest.mark.parametrize(
    ("text", "message"), [("{", "not JSON"), ('{"images": []}', "no list 'annotations'"), ("[]", "no list 'images'")]
)
def test_what_is_no_coco_file_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "captions.json").write_text(text)
    with pytest.raises(BadInput, match=message):
        load_data(str(tmp_path / "captions.json"), 20)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            [],
            r"no captioned image; looked for annotations/captions_.*; metadata.csv .*; images with a .txt, .*\.json$",
        ),
        (["a.png", "b.png"], r"no captioned image; .*; left out: 2 × no caption \(a.png, b.png\)$"),
        (["a.png", "a.txt"], "only one captioned image"),
    ],
)
def test_an_empty_result_says_what_was_looked_for(names: list[str], message: str, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).write_bytes(png(0) if name.endswith("png") else b"caption")
    with pytest.raises(BadInput, match=message):
        load_data(str(tmp_path), 20)


def test_unknown_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no data set 'digit', nor is it a path; did you mean 'digits'"):
        load_data("digit", 8)
    (tmp_path / "a.csv").touch()
    with pytest.raises(BadInput, match=r"a\.csv: not captioned images: a folder, a \.tar shard or COCO's"):
        load_data(str(tmp_path / "a.csv"), 8)


def open_list(path: Path) -> Location | None:
    """A text file whose lines are ``path of an image, tab, caption``."""
    if path.suffix != ".list":
        return None
    images = [path.parent / line.split("\t")[0] for line in path.read_text().splitlines()]
    return Location(path.parent, [path, *images], named=path)


def read_list(location: Location, listing: Listing) -> None:
    for path in location.files:
        if path.suffix == ".list":
            for name, caption in (line.split("\t") for line in path.read_text().splitlines()):
                listing.add(path.parent / name, [caption])


def test_a_further_format_and_a_further_named_set_are_an_entry_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FILE_FORMATS.entries, "list", FileFormat("a list", "*.list", "a .list", open_list, read_list))
    monkeypatch.setitem(BUILTIN.entries, "made up", lambda image_size: load_data("digits", image_size))
    for index in range(3):
        (tmp_path / f"{index}.png").write_bytes(png(index))
    (tmp_path / "set.list").write_text("0.png\tzero\n2.png\ttwo\n")
    data = load_data(str(tmp_path / "set.list"), 20)
    assert (data.captions, data.origin.kind) == (["zero", "two"], "a list")
    assert load_data("made up", 8) is load_data("digits", 8)
    with pytest.raises(BadInput, match=r"0\.png: not captioned images: a folder, a \.list or a \.tar shard or"):
        load_data(str(tmp_path / "0.png"), 20)
