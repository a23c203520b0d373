"""A LoRA from a model and a folder of pictures: trained, stopped, taken up; and what commands do with it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from diffusers.loaders import StableDiffusionLoraLoaderMixin
from PIL import Image
from safetensors.torch import load_file

from archlab.architecture import UNetSpec
from archlab.cli.main import cli
from archlab.data.grey import as_grey
from archlab.data.load import load_data
from archlab.diffusion.settings import DiffusionSettings
from archlab.encoders.prepare import encode_data
from archlab.errors import BadInput
from archlab.model import Model, load_model
from archlab.model.distill import DistillSettings, distill_model
from archlab.model.lora import LoraSettings, train_lora
from archlab.model.train import train_model
from archlab.scores.validation import ValidationLoss
from archlab.unet.lora import read_lora
from tests.export.program import drawn_by_program, share_within_one
from tests.model.train.trainings import Heard, StopAfter, small

STEPS, WEIGHTS = 8, "pytorch_lora_weights.safetensors"
PROMPTS, SEEDS = ["a handwritten three", "a handwritten six"], [1, 2]


@pytest.fixture(scope="module")
def place(tiny_unet: UNetSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With ``models/knee``, and ``negatives``: a few digits, black on white."""
    place = tmp_path_factory.mktemp("place")
    train_model(tiny_unet, small(steps=10, draw_every=1000), place / "models" / "knee")
    data = load_data("digits", 8)
    (place / "negatives").mkdir()
    for index in range(12):
        pixels = np.rint((0.5 - data.images[index, 0].numpy() / 2) * 255).astype(np.uint8)
        Image.fromarray(pixels).save(place / "negatives" / f"{index}.png")
        (place / "negatives" / f"{index}.txt").write_text(data.captions[index])
    return place


def quick(place: Path, **changes: Any) -> LoraSettings:
    given = {"data": str(place / "negatives"), "rank": 4, "alpha": 8, "steps": STEPS, "batch_size": 4, "threads": 1}
    return LoraSettings(**(given | {"validate_every": 4, "draw_every": 5, "learning_rate": 0.02} | changes))


@pytest.fixture(scope="module")
def lora(place: Path) -> Path:
    return train_lora(str(place / "models" / "knee"), quick(place), place / "loras" / "negative")


@pytest.fixture(scope="module")
def model(place: Path) -> Model:
    return load_model(place / "models" / "knee")


def test_it_learns_and_leaves_the_model_as_it_is(model: Model, lora: Path, place: Path) -> None:
    negatives = encode_data(as_grey(load_data(str(place / "negatives"), 8)), model.codec, model.text)
    loss = ValidationLoss(negatives, DiffusionSettings(), 4)
    drawn, before = model.draw(PROMPTS, SEEDS), loss(model.unet)
    taught = model.with_loras([(found := read_lora(lora, model.spec), 1.0)])
    assert found.facts is not None
    assert loss(taught.unet) == pytest.approx(found.facts.val_loss, rel=1e-4)
    assert loss(taught.unet) < before
    assert not taught.draw(PROMPTS, SEEDS).equal(drawn)
    assert model.draw(PROMPTS, SEEDS).equal(drawn)
    assert (taught.name, taught.facts.loras[0].name) == ("knee+negative:1", "negative")
    assert sorted(path.name for path in (lora / "samples").iterdir()) == ["final.png", "step-000005.png", "without.png"]
    assert "rank 4 of knee" in (lora / "card.md").read_text(encoding="utf-8")


def test_its_state_holds_what_learns_alone(place: Path, lora: Path) -> None:
    state = load_file(next((lora / "state").glob("step-*.safetensors")))
    weights = {name for name in state if name.startswith(("training.unet.", "training.averaged."))}
    assert weights
    assert all(".lora_" in name for name in weights)


def test_after_ctrl_c_it_goes_on_at_the_very_step(place: Path, lora: Path) -> None:
    name, out = str(place / "models" / "knee"), place / "loras" / "stopped"
    with pytest.raises(KeyboardInterrupt):
        train_lora(name, quick(place, checkpoint_seconds=1e6), out, watchers=[StopAfter(3)])
    with pytest.raises(BadInput, match="cannot go on: rank was 4 when it began and is 2 now"):
        train_lora(name, quick(place, rank=2), out)
    heard = Heard()
    train_lora(name, quick(place), out, watchers=[heard])
    assert (heard.began_at, heard.steps) == ([3], list(range(4, STEPS + 1)))
    ours, wanted = load_file(out / WEIGHTS), load_file(lora / WEIGHTS)
    assert ours.keys() == wanted.keys()
    assert all(ours[key].equal(wanted[key]) for key in ours)
    again = Heard()
    train_lora(name, quick(place), out, watchers=[again])
    assert again.notices == [f"{out} is finished: nothing to do"]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, place: Path) -> Callable[..., Any]:
    monkeypatch.chdir(place)
    return lambda *arguments: CliRunner().invoke(cli, list(arguments), catch_exceptions=False)


def test_fused_it_draws_the_same_and_so_does_its_export(
    run: Callable[..., Any], model: Model, lora: Path, tmp_path: Path
) -> None:
    taught = model.with_loras([(read_lora(lora, model.spec), 0.7)])
    run("lora", "fuse", "models/knee", "--lora", "loras/negative:0.7", "--out", str(tmp_path / "fused"))
    fused = load_model(tmp_path / "fused")
    assert fused.draw(PROMPTS, SEEDS).equal(taught.draw(PROMPTS, SEEDS))
    assert fused.facts.loras == taught.facts.loras
    quickly = ("--forms", "tflite", "--precision", "fp32", "--compare", "2", "--score", "0")
    done = run("export", "models/knee", "--lora", "loras/negative:0.7", *quickly, "--out", str(tmp_path / "export"))
    assert done.exit_code == 0, done.output
    assert "A LoRA is in its weights: negative, times 0.7." in (tmp_path / "export" / "card.md").read_text("utf-8")
    drawn = drawn_by_program(tmp_path / "export", taught, PROMPTS[0])
    assert share_within_one(drawn, taught, PROMPTS[0]) >= 0.99


def test_exported_imported_and_drawn_as_typed(run: Callable[..., Any], lora: Path) -> None:
    assert run("lora", "export", "loras/negative", "--out", "negative.safetensors").exit_code == 0
    done = run("lora", "import", "negative.safetensors", "--model", "models/knee", "--out", "loras/back")
    assert done.output.startswith("lora    loras/back  rank 4, ")
    ours, wanted = load_file("loras/back/" + WEIGHTS), load_file(lora / WEIGHTS)
    assert all(ours[key].equal(wanted[key]) for key in wanted)
    tensors, _, metadata = StableDiffusionLoraLoaderMixin.lora_state_dict("loras/negative", return_lora_metadata=True)
    assert metadata["unet.lora_alpha"] == 4
    assert len(tensors) == len(wanted)
    done = run(
        *("generate", "models/knee", "--prompt", PROMPTS[0]),
        *("--lora", "loras/negative:0.8", "--lora", "negative.safetensors:-0.8", "--out", "drawn"),
    )
    assert done.exit_code == 0, done.output
    pixels = np.asarray(Image.open("drawn/a-handwritten-three-seed0.png"), dtype=np.float32) / 127.5 - 1
    drawn = load_model("models/knee").draw(PROMPTS[:1], [0])[0, 0]
    torch.testing.assert_close(torch.from_numpy(pixels), drawn.clamp(-1, 1), atol=0.01, rtol=0)  # they cancel


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("generate", "models/knee", "--prompt", "x", "--lora", "loras/negative:much"), "must be FILE or FILE:WEIGHT"),
        (("generate", "models/knee", "--prompt", "x", "--lora", "loras/none"), "no such file; a LoRA is a"),
        (("lora", "train", "models/knee", "--data", "negatives", "--out", "o", "--targets", "("), "regular expression"),
        (("lora", "train", "models/knee", "--data", "negatives", "--out", "o", "--targets", "x"), "name of no layer"),
        (("lora", "train", "models/knee", "--out", "o"), "--data: is missing"),
        (("lora", "import", "negatives/0.png", "--model", "models/knee", "--out", "o"), "no safetensors file"),
        (("lora", "export", "loras/negative", "--out", "o"), "ends with .safetensors"),
        (("lora", "import", "loras/negative", "--model", "models/knee", "--out", "models"), "is there already"),
    ],
)
def test_bad_input_is_one_line(
    arguments: tuple[str, ...], message: str, lora: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    result = CliRunner().invoke(cli, list(arguments))
    assert isinstance(result.exception, BadInput), result.output
    assert message in str(result.exception)
    assert not Path("o").exists()


def test_a_model_of_one_step_is_said_to_be_the_wrong_one(place: Path, tmp_path: Path) -> None:
    settings = DistillSettings(steps=1, from_steps=2, updates=1, batch_size=4, threads=1)
    student = distill_model(str(place / "models" / "knee"), settings, tmp_path / "knee-1")
    heard = Heard()
    train_lora(str(student), quick(place, steps=1), tmp_path / "lora", watchers=[heard])
    assert any("knee-1 draws in 1 step; by its loss a LoRA of that draws a mean" in line for line in heard.notices)
