"""The objective ``epsilon``."""

from torch import Tensor

from archlab.diffusion.objectives.objective import Objective
from archlab.diffusion.paths import VariancePreserving


class Epsilon(Objective):
    """The noise ε (arXiv 2006.11239)."""

    prediction_type = "epsilon"
    path = VariancePreserving

    def target(self, latents: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        return noise

    def clean(self, noisy: Tensor, prediction: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        return (noisy - sigma * prediction) / alpha

    def noise(self, noisy: Tensor, prediction: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        return prediction

    def snr_weight(self, limited: Tensor, snr: Tensor, sigma: Tensor) -> Tensor:
        """Its loss is that of the clean latents times 1 / SNR."""
        return limited / snr


EPSILON = Epsilon()
