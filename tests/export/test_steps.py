"""A scheduler as a table of steps: what diffusers does, in numbers."""

from typing import Any

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FlowMatchHeunDiscreteScheduler,
    LCMScheduler,
    PNDMScheduler,
)
from torch import Tensor

from archlab.errors import BadInput
from archlab.export.sample import COLUMNS, clean_and_noise
from archlab.export.steps import clip_range, expressible, steps_of

COSINE = {"beta_schedule": "squaredcos_cap_v2"}
SD = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}

SCHEDULERS: dict[str, Any] = {
    "ddim": DDIMScheduler(timestep_spacing="trailing", clip_sample_range=1.5, **COSINE),
    "ddim of sd": DDIMScheduler(clip_sample=False, set_alpha_to_one=False, steps_offset=1, **SD),
    "ddim v": DDIMScheduler(timestep_spacing="trailing", prediction_type="v_prediction", **COSINE),
    "ddim sample": DDIMScheduler(timestep_spacing="trailing", prediction_type="sample", **COSINE),
    "euler": EulerDiscreteScheduler(timestep_spacing="trailing", **SD),
    "euler v": EulerDiscreteScheduler(prediction_type="v_prediction", timestep_spacing="leading", **SD),
    "straight": FlowMatchEulerDiscreteScheduler(shift=3.0),
    "dpm": DPMSolverMultistepScheduler(timestep_spacing="trailing", **SD),
    "dpm of pixels": DPMSolverMultistepScheduler(
        timestep_spacing="trailing", thresholding=True, sample_max_value=1.0, **COSINE
    ),
    "dpm without the noisiest": DPMSolverMultistepScheduler(
        timestep_spacing="trailing", lambda_min_clipped=-5.1, **COSINE
    ),
    "dpm to the smallest noise": DPMSolverMultistepScheduler(final_sigmas_type="sigma_min", **SD),
    "dpm flow": DPMSolverMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=0.5),
    "lcm": LCMScheduler(**SD),
    "lcm v to the smallest times": LCMScheduler(
        prediction_type="v_prediction", original_inference_steps=1000, timestep_scaling=0.01, **COSINE
    ),
}


def network(latent: Tensor, timestep: Tensor) -> Tensor:
    return torch.tanh(1.3 * latent + timestep / 1000 - 0.4)


def by_diffusers(scheduler: Any, steps: int, noise: Tensor) -> Tensor:
    scheduler.set_timesteps(steps)
    further = {"generator": torch.Generator().manual_seed(1)} if isinstance(scheduler, LCMScheduler) else {}
    latent = noise * getattr(scheduler, "init_noise_sigma", 1.0)
    for timestep in scheduler.timesteps:
        given = scheduler.scale_model_input(latent, timestep) if hasattr(scheduler, "scale_model_input") else latent
        latent = scheduler.step(network(given, timestep), timestep, latent, **further).prev_sample
    return latent


def by_table(scheduler: Any, steps: int, noise: Tensor) -> Tensor:
    table, config = steps_of(scheduler, steps), scheduler.config
    kind = config.get("prediction_type", "flow_prediction")
    latent, before, generator = table.init_noise_sigma * noise, torch.zeros(()), torch.Generator().manual_seed(1)
    for timestep, alpha, sigma, next_alpha, next_sigma, correction, fresh_sigma in zip(
        *(getattr(table, column) for column in COLUMNS), strict=True
    ):
        answer = network(latent, torch.tensor(timestep))
        clean, direction = clean_and_noise(kind, latent, answer, alpha, sigma)
        if (limit := clip_range(scheduler)) is not None:
            clean = clean.clip(-limit, limit)
            direction = (latent - alpha * clean) / sigma if config.get("thresholding") else direction
        latent = next_alpha * clean + next_sigma * direction + correction * (clean - before)
        if fresh_sigma:
            latent = latent + fresh_sigma * torch.randn(latent.shape, generator=generator)
        before = clean
    return latent


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("steps", [1, 7, 8, 50])
def test_a_table_of_steps_draws_what_the_scheduler_draws(name: str, steps: int) -> None:
    scheduler, remark = expressible(SCHEDULERS[name])
    assert scheduler is SCHEDULERS[name]
    assert remark is None
    noise = torch.randn(4, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        by_table(scheduler, steps, noise), by_diffusers(scheduler, steps, noise), rtol=2e-4, atol=2e-4
    )


def test_ddim_of_the_same_noise_stands_in_for_a_scheduler_that_no_table_can_express() -> None:
    scheduler, remark = expressible(PNDMScheduler(skip_prk_steps=True, steps_offset=1, **SD))
    assert isinstance(scheduler, DDIMScheduler)
    assert remark is not None
    assert "PNDMScheduler" in remark
    assert scheduler.config.clip_sample is False
    torch.testing.assert_close(scheduler.alphas_cumprod, SCHEDULERS["ddim of sd"].alphas_cumprod)


def test_a_scheduler_without_any_table_is_refused_with_those_that_have_one() -> None:
    with pytest.raises(
        BadInput, match=r"FlowMatchHeunDiscreteScheduler as it is configured .* use one of DDIMScheduler, "
    ):
        expressible(FlowMatchHeunDiscreteScheduler())
