"""``archlab export`` of a model, as it is typed."""

import sys
from pathlib import Path

import pytest

from archlab.model.folder import save_model
from tests.export.models import pixel_model
from tests.fuzz.commands import run

FAST = ["--compare", "0", "--score", "0"]


@pytest.fixture
def knee(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    save_model(pixel_model(), tmp_path / "models" / "knee")
    for card in ("card.md", "card.json"):  # as a training leaves them
        (tmp_path / "models" / "knee" / card).touch()
    return "models/knee"


def test_a_models_folder_becomes_an_export_that_draws_on(knee: str) -> None:
    done = run(["export", knee, "--forms", "tflite,diffusers", "--precision", "fp32,int8", *FAST])
    assert done.code == 0, done.said
    folder = Path("exports/knee")
    assert {path.name for path in folder.iterdir()} == {
        *("unet.tflite", "unet_int8.tflite", "scheduler.json", "sample.py", "model", "card.md", "card.json")
    }
    again = run(["export", str(folder), "--forms", "tflite", "--out", "exports/again", *FAST])
    assert again.code == 0, again.said
    assert (folder / "unet.tflite").read_bytes() == Path("exports/again/unet.tflite").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["models/kne"], "no such model: neither a folder nor study:trial; did you mean 'models/knee'?"),
        (["models/knee", "--pick", "best"], "--pick belongs to a study"),
        (["models/knee", "--forms", "tflit"], "--forms: there is no 'tflit'; did you mean 'tflite'?"),
        (["models/knee", "--forms", "tflite", "--precision", "int4"], "--precision: no form has 'int4'"),
        (["models/knee", "--forms", "tflite,coreml"], "needs an optional dependency: pip install 'archlab[coreml]'"),
        (["models/knee", "--out", "models/knee"], "models/knee: exists and is not an export"),
        (["nowhere:3"], "no study 'nowhere'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_one_line_and_nothing_is_written(
    arguments: list[str], said: str, knee: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "coremltools", None)
    done = run(["export", *arguments, *FAST])
    assert done.code == 2
    assert done.is_clean
    assert said in done.said
    assert not Path("exports").exists()


@pytest.mark.parametrize("damage", ["unet/config.json", "archlab.json", "scheduler/scheduler_config.json"])
def test_a_damaged_model_is_one_line_and_nothing_is_written(knee: str, damage: str) -> None:
    (Path(knee) / damage).write_text("{", encoding="utf-8")
    done = run(["export", knee, *FAST])
    assert done.code == 2
    assert done.is_clean
    assert damage in done.said
    assert not Path("exports").exists()
