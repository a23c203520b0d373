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

    Networks are trained at these times. Between and before them the path goes on: at place 0 of [0, 1] the latent is
    still itself, at place 1 the last of these times has come.

    Attributes:
        first_place: from which samplers of few steps go to place 0, in equal steps.
        alphas, sigmas: by time: float32 [1000].
        unshifted_side: of latents whose ratio σ / α a schedule that follows the resolution leaves as it is.

    Args:
        sample_size: side of the latents.
    """

    first_place: ClassVar[float]
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

    @abstractmethod
    def moments(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """α and σ at any places of [0, 1]: float32, of their shape."""

    @abstractmethod
    def network_times(self, places: Tensor) -> Tensor:
        """The time steps that a network is given at these places: of their shape."""


class VariancePreserving(NoisePath):
    """α² + σ² = 1 (arXiv 2006.11239). The network is given the time itself.

    Attributes:
        betas: the schedule as arguments of diffusers' schedulers.
    """

    first_place = 1.0
    unshifted_side = 64

    def __init__(self, schedule: Schedule, sample_size: int) -> None:
        self.betas: dict[str, Any] = schedule.betas(sample_size / self.unshifted_side)
        signal = DDPMScheduler(num_train_timesteps=TRAIN_TIMESTEPS, **self.betas).alphas_cumprod
        self.alphas, self.sigmas = signal**0.5, (1 - signal) ** 0.5
        angles = torch.atan2((1 - signal.double()).sqrt(), signal.double().sqrt())
        self._angles = torch.cat([torch.zeros(1, dtype=torch.float64), angles])

    def timesteps(self, times: Tensor) -> Tensor:
        return times

    def at(self, timestep: Tensor) -> tuple[Tensor, Tensor]:
        return self.alphas[int(timestep)], self.sigmas[int(timestep)]

    def moments(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """Time k of 0 … 999 is at place (k + 1) / 1000, and between two of them the angle of (α, σ) turns evenly."""
        self._angles = self._angles.to(places.device)
        times = TRAIN_TIMESTEPS * places.double()
        before = times.long().clamp(0, TRAIN_TIMESTEPS - 1)
        angles = torch.lerp(self._angles[before], self._angles[before + 1], times - before)
        return angles.cos().float(), angles.sin().float()

    def network_times(self, places: Tensor) -> Tensor:
        return TRAIN_TIMESTEPS * places - 1


class Straight(NoisePath):
    """α + σ = 1 (arXiv 2210.02747). The network is given 1,000 σ, as diffusers has it."""

    first_place = 1 - 1 / TRAIN_TIMESTEPS  # that of diffusers' schedulers that pipelines take
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

    def moments(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """A place is σ itself, whatever the schedule."""
        return 1 - places, places

    def network_times(self, places: Tensor) -> Tensor:
        return TRAIN_TIMESTEPS * places

    def sigmas_at(self, places: Tensor) -> Tensor:
        """σ at these parts of the way from latent to noise, each over 0 and at most 1."""
        return self._schedule.sigmas(places, self._shift)
