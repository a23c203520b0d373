"""``archlab data check``"""

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from archlab.cli.data import data
from archlab.errors import BadInput
from tests.data.layouts import pairs, png, samples


def check(*arguments: object) -> str:
    shown = CliRunner().invoke(data, ["check", *map(str, arguments)], catch_exceptions=False)
    assert shown.exit_code == 0
    return shown.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = pairs(tmp_path / "photos", samples(40))
    (root / "alone.png").write_bytes(png(3, (90, 70)))
    (root / "costs.png").write_bytes(png(4, (90, 70)))
    (root / "costs.txt").write_text("between $5 and $6_ \\frac 零 a" + " very" * 60)
    return root


def test_numbers_and_a_picture_are_given_of_a_folder(folder: Path, tmp_path: Path) -> None:
    facts = json.loads(check(folder, "--image-size", 24, "--out", tmp_path / "out", "--format", "json"))
    assert (facts["images"], facts["train"] + facts["validation"], facts["captions"]) == (41, 41, 41)
    assert (facts["sizes"], facts["modes"], facts["enlarged"]) == ({"20×20": 40, "90×70": 1}, {"RGB": 41}, 40)
    assert (facts["words_min"], facts["words_max"], facts["left_out"]) == (3, 67, {"no caption": 1})
    with Image.open(facts["picture"]) as picture:
        assert Path(facts["picture"]) == tmp_path / "out" / "overview.png"
        assert picture.size[0] > 8 * 128  # eight tiles side by side, small images enlarged
        assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 1000


def test_a_table_says_why_images_are_left_out(folder: Path, tmp_path: Path) -> None:
    table = check(folder, "--out", tmp_path)
    assert "20×20 (40), 90×70 (1)" in table
    assert "1   no caption" in table


def test_digits_come_as_csv(tmp_path: Path) -> None:
    (row,) = csv.DictReader(io.StringIO(check("digits", "--image-size", 8, "--out", tmp_path, "--format", "csv")))
    assert (row["images"], row["train"], row["validation"], row["captions"]) == ("1797", "1437", "360", "10")
    assert (row["attributes"], row["left_out"]) == ("digit (10)", "0")


def test_the_picture_is_among_the_reports_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check("shapes", "--image-size", 16)
    assert (tmp_path / "reports" / "data" / "shapes" / "overview.png").is_file()


def test_nothing_usable_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no captioned image"):
        check(tmp_path)
