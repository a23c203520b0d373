"""What a schedule of noise says."""

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor


class Schedule(ABC):
    """How the noise-to-signal ratio σ / α rises with time, on either path from latent to noise.

    ``shift`` multiplies that ratio where the schedule follows the resolution; the others leave it aside.
    """

    @abstractmethod
    def betas(self, shift: float) -> dict[str, Any]:
        """Of the variance-preserving path, as arguments of diffusers' schedulers."""

    @abstractmethod
    def sigmas(self, places: Tensor, shift: float) -> Tensor:
        """σ of the straight path at these parts of the way from latent to noise, each over 0 and at most 1."""
