"""The schedule ``linear``."""

from typing import Any

from torch import Tensor

from archlab.diffusion.schedules.schedule import Schedule


class Linear(Schedule):
    """β from 1e-4 to 0.02 (arXiv 2006.11239); on the straight path σ itself rises linearly."""

    def betas(self, shift: float) -> dict[str, Any]:
        return {"beta_schedule": "linear"}

    def sigmas(self, places: Tensor, shift: float) -> Tensor:
        return places


LINEAR = Linear()
