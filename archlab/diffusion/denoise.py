"""The way from noise to latents, by diffusers' schedulers."""

from collections.abc import Callable
from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
)
from torch import Tensor

from archlab.diffusion.process import TRAIN_TIMESTEPS, Process
from archlab.space.settings import ImageSampler


def denoise(
    predict: Callable[[Tensor, Tensor], Tensor],
    noise: Tensor,
    process: Process,
    *,
    sampler: ImageSampler,
    steps: int,
    limit: float = 1.0,
    progress: Callable[[float], None] = lambda _: None,
) -> Tensor:
    """Latents from standard normal noise [B, C, H, W], in deterministic steps: [B, C, H, W].

    - ``ddim`` (arXiv 2010.02502); of ``flow`` it is ``euler``: on a straight path the two are one.
    - ``dpm``: DPM-Solver++ of second order (arXiv 2211.01095).
    - ``euler`` (arXiv 2206.00364, Algorithm 1 without churn; of ``flow`` arXiv 2403.03206).

    Args:
        predict: what a network says of noisy latents [B, C, H, W] at a time step [].
        limit: no latent is larger. Where little but noise is left, a prediction's smallest error means a latent far
            beyond; it is cut off there (not by ``euler`` of ``flow``, where it is not so).
    """
    way = _way(process, sampler, steps, limit)
    means_clean = way.config.get("prediction_type") == "sample"
    sample = noise * getattr(way, "init_noise_sigma", 1.0)
    for index, timestep in enumerate(way.timesteps, start=1):
        seen = way.scale_model_input(sample, timestep) if hasattr(way, "scale_model_input") else sample
        answer = predict(seen, timestep)
        if means_clean:
            answer = process.clean(seen, answer, timestep).clamp(-limit, limit)
        sample = way.step(answer, timestep, sample).prev_sample
        progress(index / steps)
    return sample


def _way(process: Process, sampler: ImageSampler, steps: int, limit: float) -> Any:
    """One of diffusers' schedulers, set to so many steps from pure noise."""
    if process.is_flow:
        return _straight_way(process, sampler, steps)
    common = {"num_train_timesteps": TRAIN_TIMESTEPS, "timestep_spacing": "trailing", **process.betas}
    if sampler == "ddim":
        way = DDIMScheduler(prediction_type=process.prediction_type, clip_sample_range=limit, **common)
    elif sampler == "dpm":
        way = DPMSolverMultistepScheduler(prediction_type="sample", **common)
    else:
        way = EulerDiscreteScheduler(prediction_type="sample", **common)
    way.set_timesteps(steps)
    return way


def _straight_way(process: Process, sampler: ImageSampler, steps: int) -> Any:
    sigmas = process.flow_sigmas(torch.arange(steps, 0, -1) / steps)
    if sampler != "dpm":
        way = FlowMatchEulerDiscreteScheduler(num_train_timesteps=TRAIN_TIMESTEPS)
        way.set_timesteps(sigmas=sigmas.tolist())
        return way
    way = DPMSolverMultistepScheduler(
        num_train_timesteps=TRAIN_TIMESTEPS, prediction_type="sample", use_flow_sigmas=True
    )
    way.set_timesteps(steps)
    way.sigmas = torch.cat([sigmas, torch.zeros(1)])  # its own begin short of pure noise, and know no cosine
    way.timesteps = TRAIN_TIMESTEPS * sigmas
    return way
