"""The schedule ``scaled_linear``."""

from typing import Any

from torch import Tensor

from archlab.diffusion.schedules.schedule import Schedule


class ScaledLinear(Schedule):
    """Stable Diffusion's: √β from √0.00085 to √0.012 linearly; on the straight path σ itself rises linearly."""

    def betas(self, shift: float) -> dict[str, Any]:
        return {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}

    def sigmas(self, places: Tensor, shift: float) -> Tensor:
        return places


SCALED_LINEAR = ScaledLinear()
