"""Paths from a latent to noise: how much of each there is at every time."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from diffusers import DDPMScheduler
from torch import Tensor

from archlab.diffusion.schedules.schedule import Schedule

TRAIN_TIMESTEPS = 1000


class NoisePath(ABC):
    """At time t of 0 … 999 a latent x has become ``α_t x + σ_t ε``, with ε standard normal.

    Attributes:
        alphas, sigmas: by time: float32 [1000].
        unshifted_side: of latents whose ratio σ / α a schedule that follows the resolution leaves as it is.

    Args:
        sample_size: side of the latents.
    """

    unshifted_side: ClassVar[int]
    alphas: Tensor
    sigmas: Tensor

    @abstractmethod
    def __init__(self, schedule: Schedule, sample_size: int) -> None: ...

    @abstractmethod
    def timesteps(self, times: Tensor) -> Tensor:
        """The time steps that a network is given for these times: [B]."""

    @abstractmethod
    def at(self, timestep: Tensor) -> tuple[Tensor, Tensor]:
        """α and σ at a time step that a network is given: []."""


class VariancePreserving(NoisePath):
    """α² + σ² = 1 (arXiv 2006.11239). The network is given the time itself.

    Attributes:
        betas: the schedule as arguments of diffusers' schedulers.
    """

    unshifted_side = 64

    def __init__(self, schedule: Schedule, sample_size: int) -> None:
        self.betas: dict[str, Any] = schedule.betas(sample_size / self.unshifted_side)
        signal = DDPMScheduler(num_train_timesteps=TRAIN_TIMESTEPS, **self.betas).alphas_cumprod
        self.alphas, self.sigmas = signal**0.5, (1 - signal) ** 0.5

    def timesteps(self, times: Tensor) -> Tensor:
        return times

    def at(self, timestep: Tensor) -> tuple[Tensor, Tensor]:
        return self.alphas[int(timestep)], self.sigmas[int(timestep)]


class Straight(NoisePath):
    """α + σ = 1 (arXiv 2210.02747). The network is given 1,000 σ, as diffusers has it."""

    unshifted_side = 32

    def __init__(self, schedule: Schedule, sample_size: int) -> None:
        self._schedule, self._shift = schedule, sample_size / self.unshifted_side
        self.sigmas = self.sigmas_at(torch.arange(1, TRAIN_TIMESTEPS + 1) / TRAIN_TIMESTEPS)
        self.alphas = 1 - self.sigmas

    def timesteps(self, times: Tensor) -> Tensor:
        return TRAIN_TIMESTEPS * self.sigmas[times]

    def at(self, timestep: Tensor) -> tuple[Tensor, Tensor]:
        sigma = timestep / TRAIN_TIMESTEPS
        return 1 - sigma, sigma

    def sigmas_at(self, places: Tensor) -> Tensor:
        """σ at these parts of the way from latent to noise, each over 0 and at most 1."""
        return self._schedule.sigmas(places, self._shift)
