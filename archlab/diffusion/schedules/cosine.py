"""The schedule ``cosine``."""

import math
from typing import Any

import torch
from torch import Tensor

from archlab.diffusion.schedules.schedule import Schedule


class Cosine(Schedule):
    """As arXiv 2102.09672 has it; on the straight path the same ratio at the same time (CosMap of arXiv 2403.03206)."""

    def betas(self, shift: float) -> dict[str, Any]:
        return {"beta_schedule": "squaredcos_cap_v2"}

    def sigmas(self, places: Tensor, shift: float) -> Tensor:
        return (1 - 1 / (torch.tan(math.pi / 2 * places.double()) + 1)).float()


COSINE = Cosine()
