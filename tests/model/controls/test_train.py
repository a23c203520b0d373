"""A control trained for a model: from a folder to a folder, stopped on the way, drawn along, refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image
from safetensors.torch import load_file
from skimage.feature import canny

from archlab.architecture import UNetSpec
from archlab.cli.main import cli
from archlab.errors import BadInput
from archlab.model import Model, load_control, load_model
from archlab.model.controls.settings import ControlSettings
from archlab.model.controls.train import train_control
from archlab.model.folder import save_model
from archlab.model.train import train_model
from tests.model.train.trainings import Heard, StopAfter, small

STEPS = 6


def quick(**changes: Any) -> ControlSettings:
    given = {"steps": STEPS, "batch_size": 8, "threads": 1, "checkpoint_seconds": 1e6, "draw_every": 4}
    return ControlSettings(**(given | changes))


@pytest.fixture(scope="module")
def place(model: Model, tiny_unet: UNetSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With two models of different widths, a control of both kinds for the first, and pictures."""
    place = tmp_path_factory.mktemp("place")
    save_model(model, place / "models" / "knee")
    train_model(tiny_unet, small(steps=2), place / "models" / "tiny")
    for kind in ("controlnet", "adapter"):
        train_control(str(place / "models" / "knee"), quick(kind=kind), place / "controls" / kind)
    rng = np.random.default_rng(0)
    for name, shape in {"right": (8, 8), "larger": (64, 64), "oblong": (8, 12)}.items():
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(place / f"{name}.png")
    (place / "broken.png").write_bytes(b"no picture")
    return place


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "diffusion_pytorch_model.safetensors")


def typed(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [*map(str, arguments)], catch_exceptions=False)


@pytest.mark.parametrize("kind", ["controlnet", "adapter"])
def test_it_changes_what_is_drawn_by_its_scale_and_its_picture(kind: str, place: Path) -> None:
    model = load_model(place / "models" / "knee")
    alone = model.draw(["a handwritten three"], [0], steps=2)
    drawn = {
        (picture, scale): model.draw(
            ["a handwritten three"],
            [0],
            steps=2,
            control=load_control(place / "controls" / kind, model, place / f"{picture}.png", scale=scale),
        )
        for picture, scale in (("right", 0), ("right", 1), ("larger", 1))
    }
    assert torch.equal(drawn["right", 0], alone)
    assert not torch.equal(drawn["right", 1], alone)
    assert not torch.equal(drawn["larger", 1], drawn["right", 1])


@pytest.mark.parametrize("kind", ["controlnet", "adapter"])
def test_stopped_and_taken_up_it_comes_to_the_same_weights(kind: str, place: Path, tmp_path: Path) -> None:
    name, out, settings = str(place / "models" / "knee"), tmp_path / "edges", quick(kind=kind)
    with pytest.raises(KeyboardInterrupt):
        train_control(name, settings, out, watchers=[StopAfter(3)])
    heard = Heard()
    train_control(name, settings, out, watchers=[heard])
    assert (heard.began_at, heard.steps) == ([3], [4, 5, 6])
    ours, whole = weights(out), weights(place / "controls" / kind)
    assert all(ours[key].equal(whole[key]) for key in whole)
    assert {path.name for path in (out / "samples").iterdir()} == {"pictures.png", "step-000004.png", "final.png"}
    again = Heard()
    train_control(name, settings, out, watchers=[again])
    assert again.notices == [f"{out} is finished, 6 steps: nothing to do"]


def test_a_controlnet_begins_as_a_copy_of_the_model(place: Path) -> None:
    copied = load_model(place / "models" / "knee").unet.conv_in.weight
    learnt = weights(place / "controls" / "controlnet")
    assert learnt["network.controlnet_mid_block.weight"].any()
    assert 0 < (learnt["network.conv_in.weight"] - copied).abs().max() < 0.1


def test_pictures_of_a_folder_are_found_by_the_images_names(place: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for folder in ("data", "marks"):
        (tmp_path / folder / "a").mkdir(parents=True)
    for number in range(4):
        pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "data" / "a" / f"{number}.png")
        (tmp_path / "data" / "a" / f"{number}.txt").write_text("a handwritten three")
        if number:
            Image.fromarray(pixels).save(tmp_path / "marks" / "a" / f"{number}.bmp")
    name = str(place / "models" / "tiny")
    settings = quick(data=str(tmp_path / "data"), condition=str(tmp_path / "marks"), steps=1)
    with pytest.raises(BadInput, match=r"has no picture for 1 images, the first is a/0\.png"):
        train_control(name, settings, tmp_path / "control")
    with pytest.raises(BadInput, match="the images of digits have no names"):
        train_control(name, quick(condition=str(tmp_path / "marks")), tmp_path / "control")
    assert not (tmp_path / "control").exists()


def test_commands(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    assert typed("control", "edges", "larger.png", "--size", 8, "--out", "edges.png").exit_code == 0
    pixels = np.asarray(Image.open("larger.png").convert("RGB").resize((8, 8), Image.Resampling.LANCZOS)) / 255
    assert np.array_equal(np.asarray(Image.open("edges.png")) == 255, canny(pixels[..., 0]))
    drawn = typed(
        *("generate", "models/knee", "--control", "controls/adapter:edges.png:0.5", "--prompt", "a handwritten three"),
        *("--steps", 1, "--out", "drawn"),
    )
    assert drawn.exit_code == 0
    picture = Image.open("drawn/a-handwritten-three-seed0.png")
    assert picture.text["control"] == "adapter, scale 0.5"  # type: ignore[attr-defined]  # a PNG has it
    shown = typed("control", "score", "models/knee", "--control", "controls/adapter", "--steps", 1, "--images", 8)
    assert "edge_f1" in shown.stdout


WRONG = {
    "of another width": ("models/tiny", "controls/adapter:right.png", "has latents of 1 channels, stages of"),
    "no folder": ("models/knee", "controls/nobody:right.png", "controls/nobody: no such folder"),
    "no control": ("models/knee", "models:right.png", "models/config.json: no such file"),
    "no picture": ("models/knee", "controls/adapter:nobody.png", "nobody.png: no such file"),
    "no image": ("models/knee", "controls/adapter:broken.png", "broken.png: no picture that can be read"),
    "no square": ("models/knee", "controls/adapter:oblong.png", "is 12×8 pixels, and this model draws squares of 8×8"),
    "no colon": ("models/knee", "controls/adapter", "must be FOLDER:PICTURE or FOLDER:PICTURE:SCALE"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_refused_in_one_line(case: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    name, along, message = WRONG[case]
    with pytest.raises(BadInput) as caught:
        typed("generate", name, "--control", along, "--prompt", "a handwritten three", "--out", "never")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (place / "never").exists()
