"""A student draws through plain diffusers what it draws here, in its own steps of one pass."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import DiffusionPipeline

from archlab.diffusion.settings import DiffusionSettings
from archlab.model import Model, load_model
from archlab.model.folder import save_model
from archlab.model.schedulers import few_step_scheduler
from tests.encoders.tiny import save_clip, save_kl
from tests.model.test_plain_diffusers import PLAIN, PROMPTS, SEEDS, model


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Model:
    place = tmp_path_factory.mktemp("encoders")
    save_kl(place / "vae", channels=3)
    save_clip(place / "text")
    return model(PLAIN, place)


@pytest.mark.parametrize(
    ("objective", "steps", "adds_noise"),
    [("v", 8, False), ("v", 1, False), ("v", 4, True), ("flow", 8, False), ("flow", 1, False)],
)
def test_plain_diffusers_draws_the_same(
    objective: str, steps: int, adds_noise: bool, teacher: Model, tmp_path: Path
) -> None:
    settings = DiffusionSettings(objective=objective, schedule="scaled_linear")
    student = replace(
        teacher,
        scheduler=few_step_scheduler(settings, 8, steps, adds_noise=adds_noise),
        facts=replace(teacher.facts, diffusion=settings, steps=steps, guidance=1.0),
    )
    save_model(student, tmp_path / "student")
    ours = load_model(tmp_path / "student").draw(PROMPTS, SEEDS)
    pipeline = DiffusionPipeline.from_pretrained(tmp_path / "student")
    images = pipeline(
        PROMPTS,
        generator=[torch.Generator().manual_seed(seed) for seed in SEEDS],
        num_inference_steps=steps,
        guidance_scale=1.0,
        output_type="pt",
    ).images
    torch.testing.assert_close(2 * images - 1, ours, atol=1e-4, rtol=0)
    assert student.passes() == steps
