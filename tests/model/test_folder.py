"""A model's folder is written whole, comes back as it was, and can be written again."""

from pathlib import Path

import pytest
import torch

from archlab.errors import BadInput
from archlab.model import Model, load_model
from archlab.model.folder import save_model


def test_a_model_on_pixels_comes_back_and_is_saved_again(model: Model, tmp_path: Path) -> None:
    save_model(model, tmp_path / "one")
    one = load_model(tmp_path / "one")
    save_model(one, tmp_path / "two")
    two = load_model(tmp_path / "two")
    prompts, seeds = ["a handwritten three", "a handwritten one"], [0, 1]
    drawn = model.draw(prompts, seeds)
    assert one.spec == two.spec == model.spec
    assert (one.name, two.name) == ("one", "two")
    for each in (one, two):
        torch.testing.assert_close(each.draw(prompts, seeds), drawn, rtol=0, atol=1e-6)
        assert each.text.remarks(["a printed three"]) == model.text.remarks(["a printed three"])
    assert not (tmp_path / "one" / "model_index.json").exists()  # no pipeline of diffusers' draws from words


def test_equal_models_are_equal_files(model: Model, tmp_path: Path) -> None:
    for name in ("one", "two"):
        save_model(model, tmp_path / name)
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert len(files) > 3
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_something_else_at_that_place_is_left_alone(model: Model, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BadInput, match="exists and is not a model; name another folder"):
        save_model(model, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_disk_that_fills_leaves_the_older_model(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_model(model, tmp_path / "one")
    before = (tmp_path / "one" / "archlab.json").read_bytes()

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            save_model(model, tmp_path / "one")
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
    assert (tmp_path / "one" / "archlab.json").read_bytes() == before
