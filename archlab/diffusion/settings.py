"""What a network predicts, and how it is sampled from: sections of a YAML."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from archlab.diffusion.objectives import OBJECTIVES
from archlab.diffusion.samplers import SAMPLERS
from archlab.diffusion.schedules import SCHEDULES
from archlab.section import Amount, Count, Section


class DiffusionSettings(Section):
    """What a network learns to predict. All of it decides a training."""

    objective: Annotated[str, BeforeValidator(OBJECTIVES.checked)] = "epsilon"
    schedule: Annotated[str, BeforeValidator(SCHEDULES.checked)] = "cosine"
    min_snr: Amount | None = None  # gamma of min-SNR weighting (arXiv 2303.09556); absent: every time step counts alike


class SamplingSettings(Section):
    """How images are drawn. All of it decides scores of drawn images, and no training."""

    sampler: Annotated[str, BeforeValidator(SAMPLERS.checked)] = "dpm"
    sampling_steps: Count = 8  # so that a proxy is drawn from in less time than it was trained in
    guidance: Annotated[float, Field(ge=1)] = 2.0
