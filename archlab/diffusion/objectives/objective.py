"""What an objective says."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from archlab.diffusion.paths import NoisePath


class Objective(ABC):
    """What a network predicts of a noisy latent ``z = α x + σ ε``. α and σ are [B, 1, 1, 1], or [] of a whole batch.

    Attributes:
        prediction_type: what diffusers calls it.
        path: from latent to noise.
    """

    prediction_type: ClassVar[str]
    path: ClassVar[type[NoisePath]]

    @abstractmethod
    def target(self, latents: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """What the network should predict: [B, C, H, W]."""

    @abstractmethod
    def clean(self, noisy: Tensor, prediction: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """The latents that a prediction means: [B, C, H, W]."""

    @abstractmethod
    def noise(self, noisy: Tensor, prediction: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """The noise ε that a prediction means: [B, C, H, W]."""

    @abstractmethod
    def snr_weight(self, limited: Tensor, snr: Tensor, sigma: Tensor) -> Tensor:
        """The weight of this objective's loss where that of the clean latents weighs ``limited``: [B].

        Args:
            limited: min(SNR, γ) of min-SNR weighting (arXiv 2303.09556), with SNR = α² / σ²: [B].
            snr, sigma: [B].
        """
