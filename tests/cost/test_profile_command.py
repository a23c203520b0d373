"""``archlab profile`` in its forms."""

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from archlab.cli.main import cli
from archlab.cost.tally import KINDS


def profile(*arguments: str) -> str:
    result = CliRunner().invoke(cli, ["profile", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_by_kind_in_every_form() -> None:
    as_json = json.loads(profile("sd15", "--format", "json"))
    as_csv = list(csv.DictReader(io.StringIO(profile("sd15", "--by", "kind", "--format", "csv"))))
    assert [row["kind"] for row in as_csv] == [*KINDS, "total"]
    assert [int(row["macs"]) for row in as_csv] == [*(row["macs"] for row in as_json["by_kind"]), as_json["macs"]]
    table = profile("sd15", "--by", "kind")
    assert "self_attention_product" in table
    assert "401,636,720,640" in table


def test_by_block_is_what_it_was() -> None:
    rows = list(csv.DictReader(io.StringIO(profile("tiny", "--format", "csv"))))
    assert list(rows[0]) == ["name", "kind", "params", "macs", "macs_without_attention", "activation_bytes"]
    assert rows[-1]["name"] == "total"
    assert sum(int(row["params"]) for row in rows[:-1]) == int(rows[-1]["params"]) == 13_699_204


def test_json_keeps_its_keys() -> None:
    facts = json.loads(profile("tiny", "--format", "json"))
    former = {"architecture", "params", "macs", "macs_without_attention", "activation_bytes", "by_block"}
    assert former < set(facts)
    assert facts["weight_bytes"]["fp16"] == 2 * facts["params"]


@pytest.mark.parametrize(
    ("arguments", "forwards"), [((), 100), (("--no-guidance",), 50), (("--steps", "8"), 16), (("--steps", "1"), 2)]
)
def test_macs_per_image(arguments: tuple[str, ...], forwards: int) -> None:
    facts = json.loads(profile("tiny", "--format", "json", *arguments))
    assert facts["macs_per_image"] == forwards * facts["macs"]


def test_totals_are_below_the_table() -> None:
    facts = dict(line.split(maxsplit=1) for line in profile("sd15", "--steps", "1").splitlines()[-7:])
    assert facts["weights_mb_fp32"] == "3,438"
    assert facts["weights_mb_int8"] == "862.1"
    assert facts["macs_per_image"] == "803,273,441,280"


def test_check_explains_everything() -> None:
    pytest.importorskip("fvcore")
    pytest.importorskip("thop")
    shown = profile("tiny", "--sample-size", "16", "--check")
    assert shown.splitlines()[-1] == "unexplained: 0"
    facts = json.loads(profile("tiny", "--sample-size", "16", "--check", "--format", "json"))
    assert {row["tool"] for row in facts["check"]} == {"fvcore", "thop", "torch"}
    assert all(row["theirs"] - row["ours"] == row["difference"] for row in facts["check"])
    assert sum(row["ours"] for row in facts["check"] if row["tool"] == "torch") == facts["macs"]


def test_draw_writes_both_pictures_and_keeps_the_listing_clean(tmp_path: Path) -> None:
    stem = tmp_path / "größe 1" / "tiny"
    assert json.loads(profile("tiny", "--format", "json", "--draw", str(stem)))["params"] == 13_699_204
    assert {path.name for path in stem.parent.iterdir()} == {"tiny.svg", "tiny.png"}


def test_no_steps_are_no_image() -> None:
    assert CliRunner().invoke(cli, ["profile", "tiny", "--steps", "0"]).exit_code == 2
