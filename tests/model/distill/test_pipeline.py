"""A student draws the same through plain diffusers and an export's program, in its own steps of one pass."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import DiffusionPipeline

from archlab.diffusion.settings import DiffusionSettings
from archlab.errors import BadInput
from archlab.evaluation.fact import read_fact
from archlab.export import Judging, Plan, export_model
from archlab.export.drawing import Drawing
from archlab.model import Model, load_model
from archlab.model.facts import DistillationFacts
from archlab.model.folder import save_model
from archlab.model.schedulers import few_step_scheduler
from tests.encoders.tiny import save_clip, save_kl
from tests.export.program import drawn_by_program, share_within_one
from tests.model.test_plain_diffusers import PLAIN, PROMPTS, SEEDS, model

LEARNT = DistillationFacts(
    method="dmd2", of="mine", teacher="mine", guidance=2.0, phases=("dmd2",), settings={}, steps=1, seconds=1.0
)
FP32 = Plan(forms=("tflite",), precisions=("fp32",))


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
def test_its_pictures_are_the_same_everywhere(
    objective: str, steps: int, adds_noise: bool, teacher: Model, tmp_path: Path
) -> None:
    settings = DiffusionSettings(objective=objective, schedule="scaled_linear")
    student = replace(
        teacher,
        scheduler=few_step_scheduler(settings, 8, steps, adds_noise=adds_noise),
        facts=replace(teacher.facts, diffusion=settings, steps=steps, guidance=1.0, distillation=LEARNT),
    )
    save_model(student, tmp_path / "student")
    student = load_model(tmp_path / "student")
    ours = student.draw(PROMPTS, SEEDS)
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

    folder = export_model(student, tmp_path / "export", plan=FP32, judging=Judging(0, 0))
    fresh = steps - 1 if adds_noise else 0
    by_program = drawn_by_program(folder, student, PROMPTS[0], seed=SEEDS[0], fresh=fresh)
    assert share_within_one(by_program, student, PROMPTS[0], seed=SEEDS[0]) == 1
    assert [*read_fact(Drawing, folder / "scheduler.json").schedules] == [str(steps)]
    if adds_noise:
        with pytest.raises(BadInput, match=r"steps: between 1 and 4 are possible, not 8"):
            student.generate(PROMPTS, steps=8)
