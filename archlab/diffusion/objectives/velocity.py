"""The objective ``v``."""

from torch import Tensor

from archlab.diffusion.objectives.objective import Objective
from archlab.diffusion.paths import VariancePreserving


class Velocity(Objective):
    """α ε − σ x (arXiv 2202.00512)."""

    prediction_type = "v_prediction"
    path = VariancePreserving

    def target(self, latents: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        return alpha * noise - sigma * latents

    def clean(self, noisy: Tensor, prediction: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        return alpha * noisy - sigma * prediction

    def noise(self, noisy: Tensor, prediction: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        return alpha * prediction + sigma * noisy

    def snr_weight(self, limited: Tensor, snr: Tensor, sigma: Tensor) -> Tensor:
        """Its loss is that of the clean latents times 1 / σ²."""
        return limited * sigma**2


VELOCITY = Velocity()
