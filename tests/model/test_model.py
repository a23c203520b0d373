from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import LCMScheduler, StableDiffusionPipeline

from archlab.diffusion.configured import configured_process
from archlab.diffusion.guidance import guidance_embedding, guided
from archlab.diffusion.samplers import SAMPLERS
from archlab.diffusion.settings import DiffusionSettings
from archlab.encoders.words import Words
from archlab.errors import BadInput
from archlab.model import Model, load_model
from archlab.model.sampling import noise_of
from archlab.model.schedulers import read_scheduler, scheduler_for, settings_of
from archlab.progress import silent_share


def test_images_come_prompt_by_prompt_and_follow_their_seeds(model: Model) -> None:
    both = model.generate(["a handwritten three", "a handwritten one"], seeds=(5, 6), steps=2)
    alone = model.generate("a handwritten one", seeds=(6,), steps=2)
    assert [image.size for image in both] == [(8, 8)] * 4
    assert both[3].tobytes() == alone[0].tobytes()
    assert both[0].tobytes() != both[1].tobytes()


def test_how_many_are_in_memory_does_not_matter(model: Model) -> None:
    prompts, seeds = ["a handwritten three"] * 3, [0, 1, 2]
    torch.testing.assert_close(model.draw(prompts, seeds, at_once=2), model.draw(prompts, seeds))


@pytest.mark.parametrize("objective", ["epsilon", "v"])
def test_scheduler_of_pixels_is_dpm_with_their_range(model: Model, objective: str) -> None:
    settings = DiffusionSettings(objective=objective, schedule="linear")
    noise, _ = noise_of([0, 1], (1, 8, 8))
    context = model.text.encode(["a handwritten three"] * 2)
    predict = guided(model.unet, context, model.text.encode([""])[0], 2.0)
    drawn = replace(model, scheduler=scheduler_for(settings, 8, 1.0)).draw(["a handwritten three"] * 2, [0, 1], steps=5)
    process = configured_process(settings, 8)
    with torch.no_grad():
        sampled = SAMPLERS["dpm"](predict, noise, process, steps=5, limit=1.0, progress=silent_share)
    torch.testing.assert_close(drawn, sampled.clamp(-1, 1), atol=1e-5, rtol=0)


def test_passes_are_counted(model: Model) -> None:
    assert (model.passes(), model.passes(50, 1.0), model.passes(8, 7.5)) == (8, 50, 16)


@pytest.mark.parametrize("schedule", ["cosine", "linear", "scaled_linear", "shifted"])
@pytest.mark.parametrize("objective", ["epsilon", "v"])
def test_settings_are_told_from_a_scheduler(tmp_path: Path, objective: str, schedule: str) -> None:
    settings = DiffusionSettings(objective=objective, schedule=schedule)
    scheduler_for(settings, 16, 1.0).save_pretrained(tmp_path)
    assert settings_of(read_scheduler(tmp_path), 16) == settings


def test_embedded_guidance_is_that_of_diffusers() -> None:
    theirs = StableDiffusionPipeline.get_guidance_scale_embedding(None, torch.tensor([6.5]), embedding_dim=256)
    torch.testing.assert_close(
        guidance_embedding(torch.tensor([7.5]), 256), theirs, atol=1e-3, rtol=0
    )  # angles up to 6,500 in float32


def test_scheduler_that_adds_noise_follows_the_seed_alone(model: Model) -> None:
    noisy = replace(model, scheduler=LCMScheduler(prediction_type="epsilon"))
    one = noisy.draw(["a handwritten three"], [7], steps=2)
    other = noisy.draw(["a handwritten one", "a handwritten three"], [1, 7], steps=2)
    torch.testing.assert_close(one[0], other[1], atol=1e-5, rtol=0)


def test_what_is_not_read_of_a_prompt_is_said() -> None:
    words = Words(8, frozenset({"a", "handwritten", "three"}))
    assert words.remarks(["a handwritten three", ""]) == []
    assert words.remarks(["a printed three"]) == ["the word 'printed' is in no caption of the data"]
    assert words.remarks(["a a a a a a a"]) == [
        "'a a a a a a a': 7 words are more than the 6 that are read; the rest is left out"
    ]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, "steps: between 1 and 1,000"),
        ({"guidance": -1.0}, "guidance: must be a finite"),
        ({"seeds": (-1,)}, "seeds: lie between 0"),
    ],
)
def test_numbers_that_cannot_be_are_refused(model: Model, wrong: dict[str, int], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        model.generate("a handwritten three", **wrong)


@pytest.mark.parametrize("name", ["nowhere", "models/nöwhere", ""])
def test_model_that_is_not_there(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=r"no such model|no model"):
        load_model(name)


def test_model_of_a_study_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="no study 'quick'"):
        load_model("quick:knee")
