"""The sampler ``dpm``."""

from typing import Any

import torch
from diffusers import DPMSolverMultistepScheduler
from torch import Tensor

from archlab.diffusion.paths import TRAIN_TIMESTEPS, Straight, VariancePreserving
from archlab.diffusion.process import Process
from archlab.diffusion.samplers.sampler import Predict, walk
from archlab.progress import ShareDone


def dpm(predict: Predict, noise: Tensor, process: Process, *, steps: int, limit: float, progress: ShareDone) -> Tensor:
    """DPM-Solver++ of second order (arXiv 2211.01095)."""
    path = process.path
    if isinstance(path, Straight):
        scheduler = _straight(path, steps)
    else:
        assert isinstance(path, VariancePreserving)
        scheduler = DPMSolverMultistepScheduler(prediction_type="sample", timestep_spacing="trailing", **path.betas)
        scheduler.set_timesteps(steps)
    return walk(scheduler, predict, noise, process, steps=steps, limit=limit, progress=progress)


def _straight(path: Straight, steps: int) -> Any:
    """With the path's own σ: the scheduler's begin short of pure noise, and know no cosine."""
    sigmas = path.sigmas_at(torch.arange(steps, 0, -1) / steps)
    scheduler = DPMSolverMultistepScheduler(
        num_train_timesteps=TRAIN_TIMESTEPS, prediction_type="sample", use_flow_sigmas=True
    )
    scheduler.set_timesteps(steps)
    scheduler.sigmas = torch.cat([sigmas, torch.zeros(1)])
    scheduler.timesteps = TRAIN_TIMESTEPS * sigmas
    return scheduler
