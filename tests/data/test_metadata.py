"""Metadata as spreadsheets, scripts and other tools write it, and as it is damaged."""

import json
import unicodedata
from pathlib import Path

import pytest

from archlab.data.load import load_data
from archlab.data.metadata import rows
from archlab.errors import BadInput
from tests.data.layouts import images

CAPTIONS = ["a green kettle on a stove", "two pears in a bowl", "a paper boat"]


def table(delimiter: str = ",", header: tuple[str, str] = ("file_name", "text"), end: str = "\n") -> str:
    """The three images and their captions."""
    lines = [header, *((f"{index}.png", caption) for index, caption in enumerate(CAPTIONS))]
    return "".join(delimiter.join(line) + end for line in lines)


def json_lines(file: str = "file_name", **fields: str) -> str:
    """The same as JSON, the caption in the field whose value is ``{}``."""
    facts = [
        {file: f"{index}.png", **{name: text.replace("{}", caption) for name, text in fields.items()}}
        for index, caption in enumerate(CAPTIONS)
    ]
    return "\n".join(json.dumps(fact, ensure_ascii=False) for fact in facts)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metadata.csv", table(header=("file_name", "prompt"))),
        ("metadata.csv", table(header=("image", "caption"))),
        ("metadata.csv", table(header=("File_Name", "Text"))),
        ("metadata.csv", table(", ")),
        ("metadata.csv", table(";")),
        ("metadata.csv", table(end="\r")),
        (
            "metadata.csv",
            "id,file_name,note,caption\n" + "".join(f"{k},{k}.png,,{c}\n" for k, c in enumerate(CAPTIONS)),
        ),
        ("METADATA.CSV", table().upper().replace(".PNG", ".png").lower()),
        ("metadata.tsv", table("\t")),
        ("metadata.csv", table("\t", end="\r\n").encode("utf-16")),  # Excel's "Unicode text"
        ("metadata.csv", table().encode("utf-8-sig")),
        ("metadata.jsonl", json_lines(text="{}").encode("utf-16")),
        ("metadata.jsonl", json_lines(text="{}").encode("utf-16-le")),
        ("metadata.jsonl", json_lines(prompt="{}")),
        ("metadata.jsonl", json_lines("image", Description="{}")),
        ("metadata.jsonl", json_lines(text="", caption="{}")),
        ("metadata.jsonl", json_lines(text=" \t", caption="", prompt="{}")),
    ],
)
def test_every_way_of_writing_gives_the_captions(name: str, content: str | bytes, tmp_path: Path) -> None:
    images(tmp_path, ["0.png", "1.png", "2.png"])
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    data = load_data(str(tmp_path), 20)
    assert (data.captions, data.origin.left_out) == (CAPTIONS, {})


@pytest.mark.parametrize(
    ("on_disk", "written"),
    [
        ("images/{}.png", r"images\{}.png"),
        ("deep/er/{}.png", r".\deep\er/{}.png"),
        (unicodedata.normalize("NFD", "café{}.png"), "café{}.png"),
        ("ångström{}.png", unicodedata.normalize("NFD", "ångström{}.png")),
        ("IMG_{}.JPG", "img_{}.jpg"),
        ("back\\slash{}.png", r"back\slash{}.png"),
    ],
)
def test_names_are_those_of_files_however_they_are_spelt(on_disk: str, written: str, tmp_path: Path) -> None:
    images(tmp_path, [on_disk.format(index) for index in range(3)])
    with (tmp_path / "metadata.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(
            json.dumps({"file_name": written.format(index), "text": caption}, ensure_ascii=False) + "\n"
            for index, caption in enumerate(CAPTIONS)
        )
    data = load_data(str(tmp_path), 20)
    assert (data.captions, data.origin.left_out) == (CAPTIONS, {})


def test_a_name_that_may_be_of_two_files_is_of_none(tmp_path: Path) -> None:
    images(tmp_path, ["a.png", "A.png", "b.png", "c.png"])
    (tmp_path / "metadata.csv").write_text("file_name,text\na.PNG,which\nb.png,b\nc.png,c\nA.png,large\n")
    data = load_data(str(tmp_path), 20)
    assert data.captions == ["large", "b", "c"]
    assert data.origin.left_out["caption without its image"].places == ("metadata.csv:2",)


def test_a_row_is_of_the_file_that_has_its_very_name(tmp_path: Path) -> None:
    """Of two files whose names differ in capitals Windows and macOS keep one."""
    images(tmp_path, ["a.PNG", "b.png"])
    (tmp_path / "metadata.csv").write_text("file_name,text\na.png,gone\na.PNG,there\nb.png,b\nB.png,gone\n")
    data = load_data(str(tmp_path), 20)
    assert data.captions == ["there", "b"]
    assert {reason: known.places for reason, known in data.origin.left_out.items()} == {
        "caption without its image": ("metadata.csv:2",),
        "listed twice": ("metadata.csv:5",),
    }


@pytest.mark.parametrize(
    ("content", "captions", "damaged"),
    [
        (
            "0.png,a kettle, on a stove\n1.png,pears\n2.png,a boat, far, out\n3.png,a lamp\n",
            ["pears", "a lamp"],
            [2, 4],
        ),
        ('0.png,a kettle\n1.png,"pears\n2.png,a boat\n3.png,a lamp\n', ["a kettle", "a boat", "a lamp"], [3]),
        ('0.png,a kettle\n1.png,"pears\n2.png,"a boat"\n3.png,a lamp\n', ["a kettle", "a boat", "a lamp"], [3]),
        ('0.png,a kettle\n1.png,"pears\n2.png,"\n3.png,a lamp\n', ["a kettle", "a lamp"], [3, 4]),
        (
            '0.png,a "red" kettle\n1.png,"a "red" pear"\n2.png,"a ""red"" boat"\n',
            ['a "red" kettle', 'a "red" boat'],
            [3],
        ),
        (
            '0.png,"a\nkettle"\n1.png,"pears,\nripe\n\nones"\n\n2.png,"a\n2.png,boat"\n',
            ["a kettle", "pears, ripe ones", 'boat"'],
            [9],
        ),
        ('"0.png,a kettle\n1.png,pears\n2.png,a boat\n', ["pears", "a boat"], [2]),
        ('0.png,"' + "long " * 40_000 + '"\n1.png,pears\n2.png,a boat\n', ["pears", "a boat"], [2]),
    ],
)
def test_a_damaged_row_is_counted_with_its_line_and_enters_no_other(
    content: str, captions: list[str], damaged: list[int], tmp_path: Path
) -> None:
    images(tmp_path, ["0.png", "1.png", "2.png", "3.png"])
    (tmp_path / "metadata.csv").write_text(f"file_name,text\n{content}")
    data = load_data(str(tmp_path), 20)
    assert data.captions == captions
    assert data.origin.left_out["damaged row of metadata"].places == tuple(f"metadata.csv:{line}" for line in damaged)


def test_quotes_that_stay_open_cost_no_more_than_their_lines(tmp_path: Path) -> None:
    """Each of 20,000 quotes could take in the rest of the file."""
    path = tmp_path / "metadata.csv"
    path.write_text("file_name,text\n" + '0.png,"never closed\n' * 20_000)
    assert [row.line for row in rows(path) if row.facts is None] == list(range(2, 20_002))


def test_the_columns_that_are_there_are_named(tmp_path: Path) -> None:
    images(tmp_path, ["0.png", "1.png"])
    (tmp_path / "metadata.csv").write_text("bild,text\n0.png,zero\n1.png,one\n")
    with pytest.raises(
        BadInput, match=r"2 × row with none of the columns file_name, .* \(metadata.csv:2 has only bild"
    ):
        load_data(str(tmp_path), 20)
    (tmp_path / "metadata.csv").write_text("file_name,beschreibung\n0.png,zero\n1.png,one\n")
    with pytest.raises(BadInput, match=r"2 × none of the fields text, .* \(0.png has only file_name, beschreibung, 1"):
        load_data(str(tmp_path), 20)
