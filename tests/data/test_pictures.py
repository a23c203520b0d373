from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from archlab.data.pictures import grid, shown_prompts

CHECKER = (torch.arange(8)[:, None] + torch.arange(8)) % 2 * 2.0 - 1


def pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def test_grid_has_one_row_a_prompt_with_crisp_pixels(tmp_path: Path) -> None:
    grid(CHECKER.expand(6, 1, 8, 8), ["one", "two", "three"] * 2, tmp_path / "samples.png")
    grey = pixels(tmp_path / "samples.png")[..., 0].astype(float)
    height, width = grey.shape
    assert height > 3 * 50
    right = grey[:, width // 2 :]  # apart from the captions: only black, white and their borders
    assert ((right < 5) | (right > 250)).mean() > 0.98
    assert [path.name for path in tmp_path.iterdir()] == ["samples.png"]


@pytest.mark.filterwarnings("error::UserWarning")
def test_captions_are_not_read_as_formulas_and_letters_that_the_font_lacks_are_boxes(tmp_path: Path) -> None:
    for prompts in (["five $ \\frac{ and six $", "猫"], [f"{number} $ 猫 \\frac{{ $" for number in range(20)]):
        grid(CHECKER.expand(len(prompts), 1, 8, 8), prompts, tmp_path / "samples.png")
        assert len(np.unique(pixels(tmp_path / "samples.png"))) > 2


def test_colour_images_are_drawn_in_colour(tmp_path: Path) -> None:
    red = torch.tensor([1.0, -1.0, -1.0])[None, :, None, None].expand(2, 3, 8, 8)
    grid(red, ["red", "red"], tmp_path / "samples.png")
    assert (pixels(tmp_path / "samples.png") == (255, 0, 0)).all(axis=2).any()


def test_many_prompts_are_tiles_that_are_all_there(tmp_path: Path) -> None:
    prompts = shown_prompts([f"a small red circle above {number} large $blue$ squares" for number in range(256)])
    grid(torch.full((len(prompts), 1, 8, 8), -1.0), prompts, tmp_path / "samples.png")
    black = (pixels(tmp_path / "samples.png") == 0).all(axis=2)
    middle_of_rows = black[black.mean(1) > 0.7]
    assert (np.diff(middle_of_rows[0].astype(int)) == 1).sum() >= 7  # eight tiles side by side
    assert (np.diff((black.mean(1) > 0.7).astype(int)) == 1).sum() == 4


def test_few_prompts_are_shown_eight_times_and_many_once() -> None:
    assert shown_prompts(["one", "two"] * 40) == ["one", "two"] * 8
    assert shown_prompts(["one", "two"]) == ["one", "two"]
    assert len(shown_prompts([str(number) for number in range(100)])) == 32
