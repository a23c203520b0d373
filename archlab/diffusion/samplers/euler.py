"""The sampler ``euler``."""

import torch
from diffusers import EulerDiscreteScheduler, FlowMatchEulerDiscreteScheduler
from torch import Tensor

from archlab.diffusion.paths import TRAIN_TIMESTEPS, Straight, VariancePreserving
from archlab.diffusion.process import Process
from archlab.diffusion.samplers.sampler import Predict, walk
from archlab.progress import ShareDone


def euler(
    predict: Predict, noise: Tensor, process: Process, *, steps: int, limit: float, progress: ShareDone
) -> Tensor:
    """Euler's method: arXiv 2206.00364, Algorithm 1 without churn; on a straight path arXiv 2403.03206, which has no
    limit and needs none."""
    path = process.path
    if isinstance(path, Straight):
        scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=TRAIN_TIMESTEPS)
        scheduler.set_timesteps(sigmas=path.sigmas_at(torch.arange(steps, 0, -1) / steps).tolist())
    else:
        assert isinstance(path, VariancePreserving)
        scheduler = EulerDiscreteScheduler(prediction_type="sample", timestep_spacing="trailing", **path.betas)
        scheduler.set_timesteps(steps)
    return walk(scheduler, predict, noise, process, steps=steps, limit=limit, progress=progress)
