"""``archlab diff`` as a person types it."""

import json
from pathlib import Path

import pytest

from archlab.architecture import preset, save
from tests.cli.test_commands import archlab


def test_a_comparison_is_printed_and_drawn(tmp_path: Path) -> None:
    shown = archlab("diff", "sd15", "bk_sdm_tiny", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "params 859.5 M → 323.4 M (−62.4 %) · MACs 401.6 G → 242.8 G (−39.6 %)" in shown.stdout
    assert "− middle.0" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 120
    for kind in ("svg", "png"):
        assert (tmp_path / "reports" / "diff" / f"sd15-bk_sdm_tiny.{kind}").stat().st_size > 10_000
        assert f"reports/diff/sd15-bk_sdm_tiny.{kind}" in shown.stdout


def test_json_and_csv_are_nothing_but_the_differences(tmp_path: Path) -> None:
    save(preset("tiny").scaled(sample_size=16), tmp_path / "small.yaml")
    shown = archlab("diff", "tiny", "small.yaml", "--format", "json", cwd=tmp_path)
    assert json.loads(shown.stdout) == [{"where": "sample_size", "before": 32, "after": 16}]
    assert not (tmp_path / "reports").exists()
    shown = archlab("diff", "tiny", "small.yaml", "--format", "csv", "--out", "ü x/a b", cwd=tmp_path)
    assert shown.stdout == "where,before,after\nsample_size,32,16\n"
    assert {path.name for path in (tmp_path / "ü x").iterdir()} == {"a b.svg", "a b.png"}


def test_identical_architectures_are_said_to_be(tmp_path: Path) -> None:
    save(preset("tiny"), tmp_path / "same.yaml")
    shown = archlab("diff", "tiny", "same.yaml", cwd=tmp_path)
    assert shown.stdout == f"tiny and same.yaml are identical: the same network ({preset('tiny').id})\n"
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sd15", "sd51"), "'sd51' is neither a preset"),
        (("sd15", "tiny", "--out", "."), "is a folder"),
        (("sd15", "tiny", "--out", "/dev/null/a"), "cannot be written"),
    ],
)
def test_bad_arguments_are_one_line(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    shown = archlab("diff", *arguments, cwd=tmp_path)
    assert shown.returncode == 2
    assert message in shown.stderr
    assert len(shown.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
