"""One step of a student is two of its teacher's, whatever the teacher, the path and the number of steps."""

import pytest
import torch
from torch import Tensor, nn

from archlab.diffusion.configured import configured_process
from archlab.diffusion.denoiser import Denoiser, add_noise, ddim_step
from archlab.diffusion.process import Process
from archlab.diffusion.settings import DiffusionSettings
from archlab.encoders.prepare import Prepared
from archlab.training.examples import Examples
from archlab.training.lessons.progressive import ProgressiveLesson, steps_from
from archlab.training.settings import ProgressiveDistillation

PATHS = [("v", "cosine"), ("v", "scaled_linear"), ("epsilon", "linear"), ("v", "shifted"), ("flow", "linear")]
COUNT = 16
GENERATOR = torch.Generator().manual_seed(0)
LATENTS, NOISE = torch.randn(2, COUNT, 1, 4, 4, generator=GENERATOR, dtype=torch.float64)
CONTEXT = torch.randn(COUNT, 2, 3, generator=GENERATOR, dtype=torch.float64)


class Teacher(nn.Module):
    """Answers whatever: the identity holds for every teacher."""

    def forward(self, noisy: Tensor, timesteps: Tensor, context: Tensor) -> Tensor:
        waves = torch.sin(noisy * 3 + timesteps.double()[:, None, None, None] / 100)
        return waves + context.mean((1, 2))[:, None, None, None]


def lesson(process: Process, prepared: Prepared, steps: int, student: nn.Module | None = None) -> ProgressiveLesson:
    return ProgressiveLesson(
        Denoiser(student or Teacher(), process),
        Denoiser(Teacher(), process),
        ProgressiveDistillation(steps=steps),
        Examples(prepared, process, COUNT, 0.0),
    )


def process_of(objective: str, schedule: str) -> Process:
    return configured_process(DiffusionSettings(objective=objective, schedule=schedule), 8)


@pytest.mark.parametrize(("objective", "schedule"), PATHS)
@pytest.mark.parametrize("steps", [1, 4, 16, 64])  # 64 and 16 do not divide 1,000
def test_a_student_with_exact_targets_makes_two_steps_in_one(
    objective: str, schedule: str, steps: int, prepared: Prepared
) -> None:
    process = process_of(objective, schedule)
    teaching, teacher = lesson(process, prepared, steps), Denoiser(Teacher(), process)
    start = 1 if objective != "epsilon" else steps - 1  # a network of the noise knows nothing of place 1

    def place(step: float) -> Tensor:
        return torch.full((COUNT,), process.path.first_place * step / steps)

    for step in range(max(1, start), steps + 1):
        noisy = add_noise(process.path, LATENTS, NOISE, place(step))
        target = teaching.target(noisy, place(step), CONTEXT)
        one = ddim_step(process.path, noisy, target, place(step), place(step - 1))
        two = noisy
        for here, there in ((step, step - 0.5), (step - 0.5, step - 1)):
            clean = teacher.clean(two, place(here), CONTEXT)
            two = ddim_step(process.path, two, clean, place(here), place(there))
        scale = two.abs().max().clamp(min=1)  # in float64 with moments of float32
        torch.testing.assert_close(one / scale, two / scale, atol=1e-6, rtol=0)


def test_steps_begin_at_each_of_the_ends_of_equal_parts() -> None:
    path, places = process_of("v", "cosine").path, torch.tensor([0.0, 0.1, 0.25, 0.6, 0.999, 1.0])
    assert steps_from(places, 4, path).tolist() == [0.25, 0.25, 0.5, 0.75, 1.0, 1.0]
    assert set(steps_from(torch.rand(50), 1, path).tolist()) == {1.0}


def test_a_student_that_answers_its_targets_has_no_loss(prepared: Prepared) -> None:
    process = process_of("v", "cosine")
    teaching = lesson(process, prepared, 4)
    student = OfTargets(teaching, process)
    batch = next(lesson(process, prepared, 4).batches(torch.Generator().manual_seed(0)))
    losses = lesson(process, prepared, 4, student).losses(batch)
    assert losses.shape == (COUNT,)
    assert losses.max() < 1e-8
    assert lesson(process, prepared, 4).losses(batch).min() > 1e-3  # the teacher itself, one step for two


class OfTargets(nn.Module):
    """The velocity of the lesson's own targets."""

    def __init__(self, teaching: ProgressiveLesson, process: Process) -> None:
        super().__init__()
        self._teaching, self._process = teaching, process

    def forward(self, noisy: Tensor, timesteps: Tensor, context: Tensor) -> Tensor:
        places = (timesteps + 1) / 1000
        alpha, sigma = (moment[:, None, None, None] for moment in self._process.path.moments(places))
        clean = self._teaching.target(noisy, places, context)
        return (alpha * noisy - clean) / sigma
