"""The objective ``flow``."""

from torch import Tensor

from archlab.diffusion.objectives.objective import Objective
from archlab.diffusion.paths import Straight


class Flow(Objective):
    """ε − x, the direction of the straight path (arXiv 2210.02747)."""

    prediction_type = "flow_prediction"
    path = Straight

    def target(self, latents: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        return noise - latents

    def clean(self, noisy: Tensor, prediction: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        return noisy - sigma * prediction

    def noise(self, noisy: Tensor, prediction: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        return noisy + alpha * prediction

    def snr_weight(self, limited: Tensor, snr: Tensor, sigma: Tensor) -> Tensor:
        """Its loss is that of the clean latents times 1 / σ²."""
        return limited * sigma**2


FLOW = Flow()
