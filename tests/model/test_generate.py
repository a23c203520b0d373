from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import archlab
from archlab.errors import BadInput
from archlab.model import Model
from archlab.model.generate import draw_pictures, read_prompts
from archlab.model.pictures import GRID_FILE, Asked, file_stems


def test_pictures_are_what_the_model_draws_and_say_how(model: Model, tmp_path: Path) -> None:
    prompts = ("a handwritten three", "ein Schäfchen <b>", "数字")
    asked = Asked(prompts=prompts, seeds=(0, 7), steps=3, guidance=1.5)
    drawn = draw_pictures(model, "small", asked, tmp_path / "ä folder")
    expected = model.generate(prompts, seeds=(0, 7), steps=3, guidance=1.5)
    assert list(drawn.pictures) == [(prompt, seed) for prompt in prompts for seed in (0, 7)]
    for path, image in zip(drawn.pictures.values(), expected, strict=True):
        assert np.array_equal(np.asarray(Image.open(path)), np.asarray(image))
    with Image.open(drawn.pictures["ein Schäfchen <b>", 7]) as picture:
        texts = picture.text  # type: ignore[attr-defined]  # a PNG has it
    assert texts == {
        "prompt": "ein Schäfchen <b>",
        "seed": "7",
        "steps": "3",
        "passes": "6",
        "guidance": "1.5",
        "scheduler": type(model.scheduler).__name__,
        "model": "small",
        "architecture": model.spec.id,
        "archlab": archlab.__version__,
        "remarks": "\n".join(model.text.remarks(["ein Schäfchen <b>"])),
    }
    assert "'schäfchen' is in no caption" in texts["remarks"]
    assert Image.open(drawn.folder / GRID_FILE).width >= 2 * 80
    assert drawn.pictures["a handwritten three", 0].name == "a-handwritten-three-seed0.png"


def test_batches_change_no_picture(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(prompts=("a handwritten three", "a handwritten two"), seeds=(0, 1, 2), steps=2)
    whole = draw_pictures(model, "small", asked, tmp_path / "whole")
    monkeypatch.setattr(Model, "at_once", 1)
    single = draw_pictures(model, "small", asked, tmp_path / "single")
    for pair, path in whole.pictures.items():
        one, other = (np.asarray(Image.open(each), dtype=int) for each in (path, single.pictures[pair]))
        assert np.abs(one - other).max() <= 1


def test_names_of_files_are_safe_and_distinct() -> None:
    prompts = ["A cat!", "a cat", "a/../cat", "a  cat", "...", "数字", "é", "e\u0301", "x" * 500, "Straße", "STRASSE"]
    stems = list(file_stems(prompts).values())
    assert stems[:5] == ["a-cat", "a-cat-2", "a-cat-3", "a-cat-4", "prompt"]
    assert len(set(stems)) == len(prompts)
    for stem in stems:
        assert len(stem.encode()) <= 84
        assert not set(stem) & set("/\\.:")


def test_a_file_of_prompts_has_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text("\ufeff a cat \r\n\r\n  \r\nzwei Hündchen\r\n", encoding="utf-8")
    assert read_prompts(path) == ("a cat", "zwei Hündchen")


@pytest.mark.parametrize("content", ["", " \n\t\n"])
def test_an_empty_file_of_prompts_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text(content)
    with pytest.raises(BadInput, match=r"prompts.txt: an empty prompts file; write one prompt a line"):
        read_prompts(path)


def test_what_cannot_be_drawn_leaves_no_folder(model: Model, tmp_path: Path) -> None:
    for asked in (Asked(prompts=("a",), steps=1001), Asked(prompts=("a",), guidance=float("inf"))):
        with pytest.raises(BadInput):
            draw_pictures(model, "small", asked, tmp_path / "out")
    assert not (tmp_path / "out").exists()
