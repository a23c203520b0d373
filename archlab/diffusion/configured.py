"""The process that settings describe."""

from archlab.diffusion.objectives import OBJECTIVES
from archlab.diffusion.process import Process
from archlab.diffusion.schedules import SCHEDULES
from archlab.diffusion.settings import DiffusionSettings


def configured_process(settings: DiffusionSettings, sample_size: int) -> Process:
    """Objective, schedule and weights of these settings.

    Args:
        sample_size: side of the latents.
    """
    return Process(OBJECTIVES[settings.objective], SCHEDULES[settings.schedule], sample_size, settings.min_snr)
