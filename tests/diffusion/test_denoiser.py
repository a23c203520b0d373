"""A path at any place of it, and steps between two: diffusers' schedulers wherever those have no rounded times."""

from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler, FlowMatchEulerDiscreteScheduler
from torch import Tensor, nn

from archlab.diffusion.configured import configured_process
from archlab.diffusion.denoiser import Denoiser, add_noise, ddim_step
from archlab.diffusion.guidance import guidance_embedding
from archlab.diffusion.paths import VariancePreserving
from archlab.diffusion.process import Process, spread_places
from archlab.diffusion.schedules import SCHEDULES
from archlab.diffusion.settings import DiffusionSettings

OBJECTIVES = ("epsilon", "v", "flow")
GENERATOR = torch.Generator().manual_seed(0)
LATENTS, NOISE = torch.randn(2, 6, 4, 8, 8, generator=GENERATOR)
CONTEXT, NULL = torch.randn(6, 5, 7, generator=GENERATOR), torch.randn(5, 7, generator=GENERATOR)


def process(**changes: object) -> Process:
    return configured_process(DiffusionSettings.model_validate(changes), 16)


class Answers(nn.Module):
    """A smooth answer that depends on everything a network is given."""

    def forward(self, noisy: Tensor, timesteps: Tensor, context: Tensor, guidance: Tensor | None = None) -> Tensor:
        out = (
            torch.tanh(noisy * (1 + timesteps[:, None, None, None] / 1000)) + context.mean((1, 2))[:, None, None, None]
        )
        return out if guidance is None else out + guidance.sum(1)[:, None, None, None]


@pytest.mark.parametrize("schedule", SCHEDULES.names)
def test_a_path_goes_through_the_times_of_its_table_and_evenly_between_them(schedule: str) -> None:
    path = process(schedule=schedule).path
    alphas, sigmas = path.moments((torch.arange(1000) + 1) / 1000)
    torch.testing.assert_close(alphas, path.alphas, rtol=2e-3, atol=1e-6)
    torch.testing.assert_close(sigmas, path.sigmas, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(path.network_times((torch.arange(1000) + 1) / 1000), torch.arange(1000.0))
    for steps in (7, 64, 8192):
        alphas, sigmas = path.moments(torch.arange(steps + 1) / steps)
        torch.testing.assert_close(alphas**2 + sigmas**2, torch.ones(steps + 1))
        assert (sigmas[0], alphas[0]) == (0, 1)
        assert (sigmas[: steps // 2].diff() > 0).all()
        assert (alphas[steps // 2 :].diff() < 0).all()


@pytest.mark.parametrize("schedule", SCHEDULES.names)
@pytest.mark.parametrize("steps", [8, 5, 1])
def test_steps_are_those_of_ddim(schedule: str, steps: int) -> None:
    ours = process(objective="v", schedule=schedule)
    assert isinstance(ours.path, VariancePreserving)
    theirs = DDIMScheduler(
        prediction_type="v_prediction", clip_sample=False, timestep_spacing="trailing", **ours.path.betas
    )
    torch.testing.assert_close(drawn(ours, steps), drawn_by(theirs, steps), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("steps", [8, 5, 1])
def test_steps_on_the_straight_path_are_those_of_euler(steps: int) -> None:
    scheduler = FlowMatchEulerDiscreteScheduler()
    given = {"sigmas": [i / steps for i in range(steps, 0, -1)]}
    torch.testing.assert_close(drawn(process(objective="flow"), steps), drawn_by(scheduler, steps, **given))


def drawn(along: Process, steps: int) -> Tensor:
    denoiser, noisy = Denoiser(Answers(), along), NOISE
    for step in range(steps, 0, -1):
        places, until = torch.full((6,), step / steps), torch.full((6,), (step - 1) / steps)
        noisy = ddim_step(along.path, noisy, denoiser.clean(noisy, places, CONTEXT), places, until)
    return noisy


def drawn_by(scheduler: Any, steps: int, **given: Any) -> Tensor:
    scheduler.set_timesteps(steps, **given)
    noisy = NOISE
    for timestep in scheduler.timesteps:
        answer = Answers()(noisy, timestep.float().expand(6), CONTEXT)
        noisy = scheduler.step(answer, timestep, noisy).prev_sample
    return noisy


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_at_place_0_the_latents_are_what_they_are(objective: str) -> None:
    denoiser = Denoiser(Answers(), process(objective=objective))
    assert denoiser.clean(LATENTS, torch.zeros(6), CONTEXT).equal(LATENTS)  # f(z, 0) = z of consistency models


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_what_should_be_predicted_means_the_latents(objective: str) -> None:
    denoiser, places = Denoiser(Answers(), process(objective=objective)), torch.linspace(0.01, 0.9, 6)
    noisy = add_noise(denoiser.process.path, LATENTS, NOISE, places)
    found = denoiser.meant(noisy, denoiser.target(LATENTS, NOISE, places), places)
    torch.testing.assert_close(found, LATENTS, atol=1e-4, rtol=0)


def test_each_image_has_its_own_guidance() -> None:
    places, scales = torch.linspace(0.1, 1, 6), torch.tensor([0.0, 1.0, 2.0, 3.5, 7.5, 1.0])
    denoiser = Denoiser(Answers(), process(), NULL)
    prompted, unprompted = (denoiser.predict(NOISE, places, given) for given in (CONTEXT, NULL.expand(6, -1, -1)))
    expected = unprompted + scales[:, None, None, None] * (prompted - unprompted)
    torch.testing.assert_close(denoiser.predict(NOISE, places, CONTEXT, scales), expected)
    embedded = Denoiser(Answers(), process(), guidance_dim=8)
    expected = prompted + guidance_embedding(scales, 8).sum(1)[:, None, None, None]
    torch.testing.assert_close(embedded.predict(NOISE, places, CONTEXT, scales), expected)


def test_places_of_a_batch_are_spread() -> None:
    places = spread_places(50, torch.Generator().manual_seed(3))
    assert sorted((places * 50).long().tolist()) == list(range(50))
    assert (places.diff() < 0).any()
