"""The schedule ``shifted``."""

from typing import Any

import torch
from diffusers import DDPMScheduler
from torch import Tensor

from archlab.diffusion.schedules.cosine import COSINE
from archlab.diffusion.schedules.schedule import Schedule


class Shifted(Schedule):
    """The ratio follows the resolution, because noise hides less of a larger image.

    It is that of ``cosine`` times the shift (arXiv 2301.11093); on the straight path that of ``linear`` times the shift
    (arXiv 2403.03206, §5.3.2).
    """

    def betas(self, shift: float) -> dict[str, Any]:
        signal = DDPMScheduler(**COSINE.betas(shift)).alphas_cumprod.double()
        snr = signal / (1 - signal) / shift**2
        signal = snr / (1 + snr)
        before = torch.cat([torch.ones(1), signal[:-1]])
        return {"trained_betas": (1 - signal / before).tolist()}

    def sigmas(self, places: Tensor, shift: float) -> Tensor:
        return shift * places / (1 + (shift - 1) * places)


SHIFTED = Shifted()
