"""``archlab new``: a space that ``check`` accepts, whatever the baseline."""

from pathlib import Path

import pytest
import yaml

from archlab.architecture import preset, presets
from archlab.space.draft import draft_space
from archlab.study.definition import load_definition
from tests.fuzz.commands import run


@pytest.mark.parametrize("name", presets())
def test_a_new_space_holds_its_baseline_and_other_architectures(name: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(draft_space(name, preset(name), "tflite"), encoding="utf-8")
    definition = load_definition(path)
    assert definition.space.find_baseline() is not None
    assert definition.space.size >= 50


def test_the_command_never_writes_over_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["new", "my space.yaml", "--baseline", "sd21", "--device", "android"]).code == 0
    text = Path("my space.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text)["measure"] == [{"device": "android"}]
    for arguments, why in (
        (["my space.yaml"], "exists"),
        (["a.txt"], "a .yaml file"),
        (["b.yaml", "--baseline", "sd16"], "did you mean"),
        (["b.yaml", "--device", "androd"], "did you mean 'android'"),
    ):
        refused = run(["new", *arguments])
        assert refused.code == 2
        assert why in refused.said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my space.yaml"]
    assert Path("my space.yaml").read_text(encoding="utf-8") == text
