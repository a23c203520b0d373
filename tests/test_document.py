"""YAML 1.2's numbers (yaml.org/spec/1.2.2, 10.3.2), and bounds that hold whatever somebody writes."""

import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from archlab.document import Document
from archlab.errors import BadInput
from archlab.yaml12 import dump


def read(folder: Path, text: str) -> dict[str, Any]:
    path = folder / "a.yaml"
    path.write_text(text, encoding="utf-8")
    return Document(path, "a test's").data


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("5e-1", 0.5),
        ("1e3", 1000.0),
        ("-2E+2", -200.0),
        ("+12", 12),
        ("12.", 12.0),
        (".5", 0.5),
        ("0", 0),
        ("-0.0", 0.0),
        ("0o17", 15),
        ("0x1F", 31),
        (".inf", math.inf),
        ("2026-01-31", "2026-01-31"),
        ("'010'", "010"),
        ("'1:30'", "1:30"),
        ("1:30h", "1:30h"),
        ("1e3x", "1e3x"),
        ("null", None),
        ("true", True),
    ],
)
def test_values_are_those_of_yaml_1_2(tmp_path: Path, written: str, value: object) -> None:
    found = read(tmp_path, f"a: {written}\n")["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("written", ["1:30", "190:20:30", "1:30.5", "010", "-07", "00", "007.5", "1_000", "0b11"])
def test_numbers_of_yaml_1_1_alone_are_refused_at_their_place(tmp_path: Path, written: str) -> None:
    with pytest.raises(BadInput, match=rf"a\.yaml:2:6: not YAML: {written} is no number of YAML 1\.2"):
        read(tmp_path, f"a: 1\nb: [ {written}]\n")


@pytest.mark.parametrize(
    "word", ["1e3", "010", "1:30", "1_000", "yes", "null", "2026-01-31", "0o7", "0x1", ".5", "1.", ""]
)
def test_words_that_look_like_numbers_come_back_as_words(tmp_path: Path, word: str) -> None:
    text = dump({"a": word, "b": 1e-05, "c": 10})
    assert read(tmp_path, text) == {"a": word, "b": 1e-05, "c": 10}
    assert yaml.safe_load(text)["a"] == word  # for who reads it by YAML 1.1, too


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 0x" + "f" * 5_000, r":1:4: a number of 5,002 digits"),
        ("a: " + "9" * 5_000, r":1:4: a number of 5,000 digits"),
        ("a: " + "9" * 5_000 + ".0", r":1:4: a number of 5,002 digits"),
        ("a: [" + "1, " * 300_000 + "1]", r":1:\d+: more than 20,000 values"),
        ("a:\n" + "- 1\n" * 200_000, r":\d+:3: more than 20,000 values"),
        ("a: " + "[" * 100_000, r":1:103: nested more than 100 deep"),
        ("[" * 100_000, r":1:101: nested more than 100 deep"),
        ("a: " + "{b: " * 5_000, r"nested more than 100 deep"),
        ("a: 1\n#" + "x" * 100_000_000, r"a\.yaml: more than 1 MB"),
        (
            "a: &a [1,2]\nb: &b [" + "*a," * 99 + "*a]\nc: &c [" + "*b," * 99 + "*b]\nd: [" + "*c," * 99 + "*c]",
            "aliases",
        ),
        ("x" * 500 + ": 1\n" + "x" * 500 + ": 2", r":2:1: x{59}… is there twice"),
        ("a: *" + "x" * 5_000, r"a\.yaml:1:4: not YAML: found undefined alias"),
        ("a: !" + "x" * 5_000 + " 1", r"a\.yaml:1:4: not YAML: could not determine a constructor"),
    ],
    ids=lambda value: value[:16] if isinstance(value, str) else None,
)
def test_what_is_too_much_is_refused_at_once_in_one_short_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message) as refused:
        read(tmp_path, text)
    said = str(refused.value).removeprefix(str(tmp_path))
    assert "\n" not in said
    assert len(said) < 300
