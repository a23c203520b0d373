"""Latents by one of diffusers' schedulers, step by step as diffusers' pipelines take them."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from archlab.diffusion.samplers.sampler import Predict
from archlab.progress import ShareDone, silent_share


def noise_of(seeds: Sequence[int], shape: Sequence[int]) -> tuple[Tensor, list[torch.Generator]]:
    """Standard normal noise, each image's from its seed alone: [N, *shape]; and each image's generator after that."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return torch.cat([torch.randn((1, *shape), generator=generator) for generator in generators]), generators


@torch.no_grad()
def sample(
    scheduler: Any,
    predict: Predict,
    noise: Tensor,
    generators: Sequence[torch.Generator],
    steps: int,
    progress: ShareDone = silent_share,
) -> Tensor:
    """Latents of noise, both [B, C, H, W].

    Args:
        scheduler: a copy of it is used, for it remembers earlier steps.
        generators: of the noise that a scheduler adds in between, one an image.
        progress: called after every step.
    """
    scheduler = type(scheduler).from_config(scheduler.config)
    scheduler.set_timesteps(steps, device=noise.device)
    adds_noise = "generator" in inspect.signature(scheduler.step).parameters
    further = {"generator": list(generators)} if adds_noise else {}
    latents = noise * scheduler.init_noise_sigma
    for index, timestep in enumerate(scheduler.timesteps, start=1):
        answer = predict(scheduler.scale_model_input(latents, timestep), timestep)
        latents = scheduler.step(answer, timestep, latents, **further).prev_sample
        progress(index / len(scheduler.timesteps))
    sampled: Tensor = latents
    return sampled
