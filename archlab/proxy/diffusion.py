"""The diffusion process: noise is added over 1,000 steps and the network predicts it (arXiv 2006.11239)."""

import torch
from diffusers import DDIMScheduler, DDPMScheduler
from torch import Tensor, nn

TRAIN_TIMESTEPS = 1000
BETA_SCHEDULE = "squaredcos_cap_v2"
AT_ONCE = 128  # images of a batch from which nothing is learnt


def noise_schedule() -> DDPMScheduler:
    """The schedule that proxies are trained with: cosine, for images this small (arXiv 2102.09672)."""
    return DDPMScheduler(num_train_timesteps=TRAIN_TIMESTEPS, beta_schedule=BETA_SCHEDULE)


def sampling_schedule(steps: int) -> DDIMScheduler:
    """The process walked back from pure noise in ``steps`` deterministic steps (DDIM, arXiv 2010.02502)."""
    schedule = DDIMScheduler(
        num_train_timesteps=TRAIN_TIMESTEPS, beta_schedule=BETA_SCHEDULE, timestep_spacing="trailing"
    )
    schedule.set_timesteps(steps)
    return schedule


def spread_timesteps(count: int, generator: torch.Generator) -> Tensor:
    """int64 [count]: one random time step from each of ``count`` equal parts of the process, in random order.

    Spread evenly, a batch's loss varies less than with independent draws (arXiv 2107.00630).
    """
    places = torch.arange(count, dtype=torch.float64) + torch.rand(count, generator=generator, dtype=torch.float64)
    timesteps = (places * TRAIN_TIMESTEPS / count).long().clamp(max=TRAIN_TIMESTEPS - 1)
    return timesteps[torch.randperm(count, generator=generator)]


def noise_loss(unet: nn.Module, noisy: Tensor, timesteps: Tensor, context: Tensor, noise: Tensor) -> Tensor:
    """Mean squared error of the predicted noise for each image: [B, C, H, W], [B], [B, L, D] → [B]."""
    error: Tensor = (unet(noisy, timesteps, context) - noise).square()
    return error.flatten(1).mean(1)
