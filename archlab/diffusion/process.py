"""The process that turns latents into noise step by step, and what a network is asked about it."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from archlab.diffusion.objectives.objective import Objective
from archlab.diffusion.paths import TRAIN_TIMESTEPS
from archlab.diffusion.schedules.schedule import Schedule

AT_ONCE = 128  # images of a batch from which nothing is learnt


class NoisyBatch(NamedTuple):
    """What a network is asked, and what it should answer."""

    noisy: Tensor  # [B, C, H, W]
    timesteps: Tensor  # [B]
    context: Tensor  # [B, L, D]
    target: Tensor  # [B, C, H, W]
    weight: Tensor  # [B], of each image's loss

    @property
    def images(self) -> int:
        """How many there are."""
        return len(self.target)

    def split(self, size: int) -> Iterator["NoisyBatch"]:
        """Parts of at most ``size`` images."""
        return (NoisyBatch(*parts) for parts in zip(*(torch.split(tensor, size) for tensor in self), strict=True))

    def to(self, device: torch.device) -> "NoisyBatch":
        """The batch on that device; to a GPU it travels while the processor goes on."""
        if device.type == "cpu":
            return self
        return NoisyBatch(*(tensor.pin_memory().to(device, non_blocking=True) for tensor in self))


class Process:
    """At time t of 0 … 999 a latent x is ``α_t x + σ_t ε``, with ε standard normal.

    Attributes:
        objective: what the network predicts.
        path: α and σ at each time.

    Args:
        sample_size: side of the latents.
        min_snr: γ of min-SNR weighting; absent: every time step counts alike.
    """

    def __init__(
        self, objective: Objective, schedule: Schedule, sample_size: int, min_snr: float | None = None
    ) -> None:
        self.objective, self.path = objective, objective.path(schedule, sample_size)
        self._min_snr = min_snr

    def batch(self, latents: Tensor, noise: Tensor, times: Tensor, context: Tensor) -> NoisyBatch:
        """The task that latents [B, C, H, W], noise of that shape, times [B] and context [B, L, D] make."""
        return NoisyBatch(
            noisy=self.noisy(latents, noise, times),
            timesteps=self.path.timesteps(times),
            context=context,
            target=self.target(latents, noise, times),
            weight=self.weight(times),
        )

    def noisy(self, latents: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """The latents with so much noise: [B, C, H, W]."""
        alpha, sigma = self._each(times)
        return alpha * latents + sigma * noise

    def target(self, latents: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """What the network should predict: [B, C, H, W]."""
        return self.objective.target(latents, noise, *self._each(times))

    def weight(self, times: Tensor) -> Tensor:
        """min-SNR weight of each loss (arXiv 2303.09556); 1 without γ: [B].

        The loss of a predicted clean latent weighs min(SNR, γ), with SNR = α² / σ², whatever the objective.
        """
        if self._min_snr is None:
            return torch.ones(times.shape)
        alpha, sigma = self.path.alphas[times], self.path.sigmas[times]
        snr = (alpha / sigma) ** 2
        return self.objective.snr_weight(snr.clamp(max=self._min_snr), snr, sigma)

    def clean(self, noisy: Tensor, prediction: Tensor, timestep: Tensor) -> Tensor:
        """The latents that a prediction means.

        Args:
            noisy, prediction: [B, C, H, W].
            timestep: of all of them, as the network is given it: [].
        """
        return self.objective.clean(noisy, prediction, *self.path.at(timestep))

    def _each(self, times: Tensor) -> tuple[Tensor, Tensor]:
        """α and σ of each image: [B, 1, 1, 1]."""
        return self.path.alphas[times][:, None, None, None], self.path.sigmas[times][:, None, None, None]


def spread_times(count: int, generator: torch.Generator) -> Tensor:
    """int64 [count]: one random time from each of ``count`` equal parts of the process, in random order.

    Spread evenly, a batch's loss varies less than with independent draws (arXiv 2107.00630).
    """
    parts, order = _one_of_each_part(count, generator)
    return (parts * TRAIN_TIMESTEPS / count).long().clamp(max=TRAIN_TIMESTEPS - 1)[order]


def spread_places(count: int, generator: torch.Generator) -> Tensor:
    """float32 [count]: as `spread_times`, but places of [0, 1]."""
    parts, order = _one_of_each_part(count, generator)
    return (parts / count).float()[order]


def _one_of_each_part(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """float64 [count], one random number between each two of 0 … ``count``; and int64 [count], a random order."""
    parts = torch.arange(count, dtype=torch.float64) + torch.rand(count, generator=generator, dtype=torch.float64)
    return parts, torch.randperm(count, generator=generator)


def loss(unet: nn.Module, batch: NoisyBatch) -> Tensor:
    """Mean squared error of what the network predicts for each image, without weights, where the network is: [B]."""
    batch = batch.to(device_of_network(unet))
    return error(unet(batch.noisy, batch.timesteps, batch.context), batch.target)


def device_of_network(unet: nn.Module) -> torch.device:
    """Where its weights are; the processor for one without any."""
    return next((weight.device for weight in unet.parameters()), torch.device("cpu"))


def error(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean square of the difference for each image: [B, ...] → [B]."""
    return (prediction.float() - target.float()).square().flatten(1).mean(1)
