"""The loss on the validation split: the score with the least noise."""

import torch
from torch import Tensor, nn

from archlab.diffusion.configured import configured_process
from archlab.diffusion.paths import TRAIN_TIMESTEPS
from archlab.diffusion.process import AT_ONCE, loss, spread_times
from archlab.diffusion.settings import DiffusionSettings
from archlab.encoders.prepare import Prepared
from archlab.evaluation import Score
from archlab.scores.resampling import Float64, ratio
from archlab.scores.spread import spread

VALIDATION_DRAWS = 2  # times and noises for each validation image
VALIDATION_IMAGES = 1024  # at most; with more, scoring would take as long as a short training
BANDS = 4
_NOISE_SEED = 0


class ValidationLoss:
    """The loss on the validation split, without weights, of all times and of each quarter of the process.

    Times and noise are the same for every architecture and every training seed, so that two scores differ by the
    networks alone.

    Args:
        at_once: images that are in memory at once.
        images: at most so many, spread over the split.
    """

    def __init__(
        self,
        prepared: Prepared,
        settings: DiffusionSettings,
        at_once: int = AT_ONCE,
        images: int = VALIDATION_IMAGES,
    ) -> None:
        self._prepared, self._process, self._at_once = (
            prepared,
            configured_process(settings, prepared.sample_size),
            at_once,
        )
        self._label = "val_loss" if settings.objective == "epsilon" else f"val_loss ({settings.objective})"
        generator = torch.Generator().manual_seed(_NOISE_SEED)
        self._indices = spread(prepared.data.validation, images).repeat(VALIDATION_DRAWS)
        self._noise = torch.randn((len(self._indices), *prepared.latents.shape[1:]), generator=generator)
        self._times = spread_times(len(self._indices), generator)

    @property
    def draws(self) -> int:
        """How many images the network is asked about."""
        return len(self._indices)

    def __call__(self, unet: nn.Module) -> float:
        """The mean over all images and draws."""
        return self.scores(unet)["val_loss"].value

    def scores(self, unet: nn.Module) -> dict[str, Score]:
        """``val_loss``, and of the quarters of the process, from least noise to most, ``val_loss_q1`` and so on.

        A quarter is left out where a single validation image has no draw in it.
        """
        losses = self._losses(unet)
        scores = {"val_loss": self._score(self._label, losses, torch.ones_like(losses))}
        band_of = self._times * BANDS // TRAIN_TIMESTEPS
        for band in torch.unique(band_of).tolist():
            first, last = band * TRAIN_TIMESTEPS // BANDS, (band + 1) * TRAIN_TIMESTEPS // BANDS - 1
            label = f"{self._label} at times {first} to {last}"
            scores[f"val_loss_q{band + 1}"] = self._score(label, losses, (band_of == band).double())
        return scores

    @torch.no_grad()
    def _losses(self, unet: nn.Module) -> Tensor:
        """Of every draw: float64 [draws · images]."""
        parts = []
        spans = zip(
            *(torch.split(part, self._at_once) for part in (self._indices, self._noise, self._times)), strict=True
        )
        for indices, noise, times in spans:
            context = self._prepared.context(indices)
            batch = self._process.batch(self._prepared.latents[indices], noise, times, context)
            parts.append(loss(unet, batch).cpu())
        return torch.cat(parts).double()

    def _score(self, label: str, losses: Tensor, counted: Tensor) -> Score:
        """The mean of the losses that are counted; an image's draws are resampled together."""
        return Score(label, *ratio(_by_image(losses * counted), _by_image(counted)))


def _by_image(values: Tensor) -> Float64:
    """Sum over draws: [draws · images] → [images]."""
    summed: Float64 = values.reshape(VALIDATION_DRAWS, -1).sum(0).numpy()
    return summed
