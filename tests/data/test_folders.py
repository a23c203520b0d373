"""Folders as people have them: files of trainers beside images, splits, links, and what nobody reads."""

import json
import os
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from archlab.data.left_out import in_words
from archlab.data.load import load_data
from archlab.errors import BadInput
from tests.data.layouts import coco, encoded, images, png, samples, write_tar


def left_out(path: Path) -> dict[str, tuple[str, ...]]:
    return {reason: known.places for reason, known in load_data(str(path), 20).origin.left_out.items()}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("10_kettle/{}.caption", b"{}"),
        ("10_kettle/{}.CAPTION", "\ufeff{}".encode("utf-16")),
        ("10_kettle/{}.png.txt", b"{}"),
        ("10_kettle/{}.json", b'{"width": 20, "caption": "{}"}'),
        ("10_kettle/{}.json", json.dumps({"text": "", "Prompt": "{}"}).encode("utf-8-sig")),
        ("10_kettle/{}.png.json", b'{"captions": ["", "{}", " "]}'),
    ],
)
def test_files_of_trainers_beside_images_are_captions(name: str, content: bytes, tmp_path: Path) -> None:
    images(tmp_path, [f"10_kettle/{index}.png" for index in range(3)])
    for index in range(3):
        own = content.decode("utf-16" if content[:2] == b"\xff\xfe" else "utf-8").replace("{}", f"number {index}")
        encoding = "utf-16-le" if content[:2] == b"\xff\xfe" else "utf-8"
        (tmp_path / name.format(index)).write_bytes(own.encode(encoding))
    data = load_data(str(tmp_path), 20)
    assert (data.captions, data.origin.left_out) == (["number 0", "number 1", "number 2"], {})


def test_the_first_file_with_a_caption_counts(tmp_path: Path) -> None:
    images(tmp_path, [f"{index}.png" for index in range(4)])
    (tmp_path / "metadata.csv").write_text("file_name,text,prompt\n0.png,row,\n1.png,,prompt\n2.png,,\n")
    for index in range(4):
        (tmp_path / f"{index}.txt").write_text("" if index == 3 else "text")
        (tmp_path / f"{index}.caption").write_text("caption")
    assert load_data(str(tmp_path), 20).captions == ["row", "prompt", "text", "caption"]


def test_a_caption_is_of_the_image_that_has_its_very_name(tmp_path: Path) -> None:
    images(tmp_path, ["A.png", "a.png", "B.png", "b.png", "IMG_1.JPG", unicodedata.normalize("NFD", "café.png")])
    for name in ("A.txt", "a.txt", "b.txt", "img_1.txt", "café.caption"):
        (tmp_path / name).write_text(name)
    data = load_data(str(tmp_path), 20)
    assert data.captions == ["A.txt", "img_1.txt", "a.txt", "b.txt", "café.caption"]
    assert left_out(tmp_path) == {"no caption": ("B.png",)}


def test_images_of_every_suffix_are_read(tmp_path: Path) -> None:
    plain = Image.new("RGB", (20, 20), "teal")
    forms = {"jfif": "JPEG", "jpe": "JPEG", "JPG": "JPEG", "mpo": "JPEG", "apng": "PNG", "ppm": "PPM", "tga": "TGA"}
    forms |= {"jp2": "JPEG2000", "tiff": "TIFF", "dib": "DIB", "qoi": "QOI"}
    for suffix, form in forms.items():
        (tmp_path / f"{suffix}.{suffix}").write_bytes(encoded(plain, form))
        (tmp_path / f"{suffix}.txt").write_text(suffix)
    (tmp_path / "drawing.eps").write_bytes(encoded(plain, "EPS"))
    data = load_data(str(tmp_path), 20)
    assert data.captions == sorted(forms)
    assert left_out(tmp_path) == {"file that is not read: .eps": ("drawing.eps",)}


def test_what_nobody_reads_is_named(tmp_path: Path) -> None:
    images(tmp_path, ["0.png", "1.png"])
    (tmp_path / "0.json").write_text('{"tags": "kettle"}')
    (tmp_path / "1.json").write_text("[" * 100_000)
    for name in (
        "metadata.csv",
        "metadata.parquet",
        "photos.zip",
        "dataset_info.json",
        "LICENSE",
        "a\x1b[31m\n.b\udcff",
    ):
        (tmp_path / name).touch()
    with pytest.raises(BadInput, match=r"no captioned image; looked for .*; left out: ") as refused:
        load_data(str(tmp_path), 20)
    for reason in (
        "1 × none of the fields text, caption, prompt, captions, description (0.png has only tags)",
        "1 × caption file that is not JSON (1.png)",
        "1 × metadata without rows (metadata.csv)",
        "1 × file that is not read: .parquet (metadata.parquet)",
        "1 × file that is not read: .zip (photos.zip)",
        "1 × file that is not read: .json (dataset_info.json)",
        "1 × file that is not read: without a suffix (LICENSE)",
        "1 × file that is not read: .b� (a�[31m�.b�)",
    ):
        assert reason in str(refused.value)


def test_of_very_many_reasons_the_first_are_told(tmp_path: Path) -> None:
    captioned(tmp_path, ["0.png", "1.png"])
    for index in range(300):
        (tmp_path / f"a.x{index}").touch()
    data = load_data(str(tmp_path), 20)
    assert len(data.origin.left_out) == 65
    assert data.origin.left_out["other reasons"].count == 300 - 64
    assert in_words(data.origin.left_out).endswith(", 292 × other reasons")


def captioned(root: Path, names: list[str]) -> Path:
    images(root, names)
    for name in names:
        (root / name).with_suffix(".txt").write_text(name)
    return root


def sides(path: Path) -> tuple[set[str], set[str]]:
    data = load_data(str(path), 20)
    return {data.captions[k] for k in data.train}, {data.captions[k] for k in data.validation}


@pytest.mark.parametrize(("train", "validation"), [("train", "validation"), ("data/Train-images", "data/val-images")])
def test_splits_stay_what_they_are(train: str, validation: str, tmp_path: Path) -> None:
    names = [f"{train}/a/{index}.png" for index in range(5)], [f"{validation}/{index}.png" for index in range(3)]
    captioned(tmp_path, [*names[0], *names[1], "test/0.png", "more/0.png"])
    assert sides(tmp_path) == ({*names[0], "more/0.png"}, set(names[1]))
    assert left_out(tmp_path) == {"image of the test split, which is kept apart": ("test/0.png",)}


def test_without_a_validation_split_a_part_of_the_training_split_validates(tmp_path: Path) -> None:
    names = [f"train/{index}.png" for index in range(30)]
    captioned(tmp_path, [*names, "test/0.png"])
    train, validation = sides(tmp_path)
    assert train | validation == set(names)
    assert len(validation) < len(train)
    assert left_out(tmp_path) == {"image of the test split, which is kept apart": ("test/0.png",)}


def test_a_split_alone_is_a_data_set(tmp_path: Path) -> None:
    train, validation = sides(captioned(tmp_path, [f"test/{index}.png" for index in range(9)]))
    assert len(train | validation) == 9


def test_shards_and_coco_have_splits_too(tmp_path: Path) -> None:
    for split, count in (("train", 4), ("val", 2)):
        members = [(f"{split}{k}.{s}", c) for k in range(count) for s, c in (("png", png(k)), ("txt", split.encode()))]
        (tmp_path / "shards").mkdir(exist_ok=True)
        write_tar(tmp_path / "shards" / f"set-{split}-00000.tar", members)
    data = load_data(str(tmp_path / "shards"), 20)
    assert [data.captions[k] for k in data.validation] == ["val", "val"]
    path = coco(tmp_path / "coco", samples(3))
    (path.parents[1] / "train2017").mkdir()
    other = {"images": [{"id": k, "file_name": f"{k}.png"} for k in range(4)]}
    other["annotations"] = [{"image_id": k, "caption": "to train"} for k in range(4)]
    images(path.parents[1] / "train2017", ["0.png", "1.png", "2.png", "3.png"])
    path.with_name("captions_train2017.json").write_text(json.dumps(other))
    data = load_data(str(path.parents[1]), 20)
    assert {data.captions[k] for k in data.train} == {"to train"}
    assert len(data.validation) == 3


def test_coco_names_may_have_backslashes_and_other_annotations_are_named(tmp_path: Path) -> None:
    path = coco(tmp_path, samples(3))
    content = json.loads(path.read_text())
    for image in content["images"]:
        image["file_name"] = "val2017\\" + unicodedata.normalize("NFD", image["file_name"])
    path.write_text(json.dumps(content), encoding="utf-8-sig")
    path.with_name("captions_train2017.json").write_text("[" * 100_000)
    path.with_name("instances_val2017.json").write_text("{}")
    data = load_data(str(tmp_path), 20)
    assert data.captions == [caption for _, caption in samples(3).values()]
    assert {reason: len(places) for reason, places in left_out(tmp_path).items()} == {
        "file of no COCO captions": 1,
        "file that is not read: .json": 1,
    }


def test_links_that_leave_the_folder_are_counted_and_not_followed(tmp_path: Path) -> None:
    root = captioned(tmp_path / "set", ["0.png", "1.png", "pool/2.png"])
    captioned(tmp_path / "other", ["3.png", "4.png"])
    for name, target in {
        "process": "/proc/self",
        "outside": "../other",
        "3.png": "../other/3.png",
        "nowhere.png": "gone.png",
        "loop.png": "loop.png",
        "below": "pool",
        "5.png": "pool/2.png",
        "far.tar": "/dev/zero",
    }.items():
        (root / name).symlink_to(target)
    (root / "5.txt").write_text("linked")
    os.mkfifo(root / "pipe.txt")
    (root / "metadata.csv").write_text("file_name,text\nbelow/2.png,by its link\n3.png,stolen\n../other/4.png,stolen\n")
    data = load_data(str(root), 20)
    assert data.captions == ["0.png", "1.png", "linked", "by its link"]
    assert left_out(root) == {
        "link out of the folder": ("3.png", "far.tar", "outside"),
        "link that leads nowhere": ("loop.png", "nowhere.png"),
        "link to a folder": ("below",),
        "device, pipe or socket": ("pipe.txt",),
        "caption without its image": ("metadata.csv:3",),
        "path outside the folder": ("metadata.csv:4",),
    }
    (tmp_path / "link").symlink_to(root)
    assert load_data(str(tmp_path / "link"), 20).id == data.id


def test_a_folder_that_was_changed_is_read_again(tmp_path: Path) -> None:
    captioned(tmp_path, ["0.png", "1.png"])
    before = load_data(str(tmp_path), 20)
    assert load_data(str(tmp_path), 20) is before
    (tmp_path / "1.txt").write_text("mended")
    assert load_data(str(tmp_path), 20).captions == ["0.png", "mended"]


def test_a_side_that_no_memory_holds_is_refused(tmp_path: Path) -> None:
    for source in ("digits", "shapes", str(captioned(tmp_path, ["0.png", "1.png"]))):
        with pytest.raises(BadInput, match="images of 20,000 pixels a side are too large; at most 2,048"):
            load_data(source, 20_000)
    with pytest.raises(BadInput, match="shapes are made in memory, at most 256 pixels a side, not 1024"):
        load_data("shapes", 1024)
