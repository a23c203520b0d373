"""How good a trained proxy is: validation loss at fixed noise, and the FID of what it draws."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from archlab.proxy.data import CaptionedImages
from archlab.proxy.diffusion import AT_ONCE, noise_loss, noise_schedule, spread_timesteps
from archlab.proxy.features import FeatureNetwork
from archlab.proxy.metrics import fit_gaussian, frechet_distance
from archlab.proxy.text import encode

VALIDATION_DRAWS = 2  # time steps and noises for each validation image
_NOISE_SEED = 0


@dataclass(frozen=True)
class Score:
    """A quality, lower is better. Scores with different labels are never compared."""

    label: str
    value: float


class ValidationLoss:
    """The noise-prediction loss on the validation split.

    Time steps and noise are the same for every architecture and every training seed, so that two scores
    differ by the networks alone.

    Args:
        at_once: images that are in memory at once.
    """

    def __init__(self, data: CaptionedImages, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        generator = torch.Generator().manual_seed(_NOISE_SEED)
        indices = data.validation.repeat(VALIDATION_DRAWS)
        images = data.images[indices]
        self._noise = torch.randn(images.shape, generator=generator)
        self._timesteps = spread_timesteps(len(indices), generator)
        self._noisy = noise_schedule().add_noise(images, self._noise, self._timesteps)
        self._context = encode([data.captions[index] for index in indices.tolist()])

    @torch.no_grad()
    def __call__(self, unet: nn.Module) -> float:
        """The mean over all images and draws, summed in float64."""
        parts = (self._noisy, self._timesteps, self._context, self._noise)
        batches = zip(*(part.split(self._at_once) for part in parts), strict=True)
        return torch.cat([noise_loss(unet, *batch) for batch in batches]).double().mean().item()


def balanced_prompts(prompts: Sequence[str], count: int) -> list[str]:
    """``count`` prompts, each as often as the others (± 1): the prompts in turn."""
    return [prompts[index % len(prompts)] for index in range(count)]


def fid(images: Tensor, data: CaptionedImages, network: FeatureNetwork) -> Score:
    """Fréchet distance of drawn images [N, C, H, W] to all real ones, in the network's features.

    Raises:
        BadInput: fewer than two images.
    """
    drawn = fit_gaussian(network.features(images))
    real = fit_gaussian(network.features(data.images))
    return Score(fid_label(len(images), network.name), frechet_distance(drawn, real))


def fid_label(count: int, network_name: str) -> str:
    """``fid@256 (digits-cnn)``: two FIDs compare only at equal count and features."""
    return f"fid@{count} ({network_name})"
