"""The sampler ``ddim``."""

from diffusers import DDIMScheduler
from torch import Tensor

from archlab.diffusion.paths import VariancePreserving
from archlab.diffusion.process import Process
from archlab.diffusion.samplers.euler import euler
from archlab.diffusion.samplers.sampler import Predict, walk
from archlab.progress import ShareDone


def ddim(predict: Predict, noise: Tensor, process: Process, *, steps: int, limit: float, progress: ShareDone) -> Tensor:
    """DDIM (arXiv 2010.02502); on a straight path it is Euler's method."""
    path = process.path
    if not isinstance(path, VariancePreserving):
        return euler(predict, noise, process, steps=steps, limit=limit, progress=progress)
    scheduler = DDIMScheduler(
        prediction_type=process.objective.prediction_type,
        clip_sample_range=limit,
        timestep_spacing="trailing",
        **path.betas,
    )
    scheduler.set_timesteps(steps)
    return walk(scheduler, predict, noise, process, steps=steps, limit=limit, progress=progress)
