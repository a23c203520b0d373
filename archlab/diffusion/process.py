"""The process that turns latents into noise step by step, and what a network learns to tell of it."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from diffusers import DDPMScheduler
from torch import Tensor, nn

from archlab.space.settings import Prediction, ProxySettings

TRAIN_TIMESTEPS = 1000
AT_ONCE = 128  # images of a batch from which nothing is learnt

_PREDICTION_TYPES: dict[Prediction, str] = {
    "epsilon": "epsilon",
    "v": "v_prediction",
    "flow": "flow_prediction",
}  # as diffusers has them
_UNSHIFTED_SIDE: dict[Prediction, int] = {"epsilon": 64, "v": 64, "flow": 32}


class Batch(NamedTuple):
    """What a network is asked, and what it should answer."""

    noisy: Tensor  # [B, C, H, W]
    timesteps: Tensor  # [B]
    context: Tensor  # [B, L, D]
    target: Tensor  # [B, C, H, W]
    weight: Tensor  # [B], of each image's loss

    def split(self, size: int) -> Iterator["Batch"]:
        """Parts of at most ``size`` images."""
        return (Batch(*parts) for parts in zip(*(torch.split(tensor, size) for tensor in self), strict=True))

    def to(self, device: torch.device) -> "Batch":
        """The batch on that device; to a GPU it travels while the processor goes on."""
        if device.type == "cpu":
            return self
        return Batch(*(tensor.pin_memory().to(device, non_blocking=True) for tensor in self))


class Process:
    """At time t of 0 … 999 a latent x is ``α_t x + σ_t ε``, with ε standard normal.

    The objective is what the network predicts:

    - ``epsilon``: ε, with α² + σ² = 1 (arXiv 2006.11239).
    - ``v``: α ε − σ x, with α² + σ² = 1 (arXiv 2202.00512).
    - ``flow``: ε − x, with α + σ = 1: a straight path (arXiv 2210.02747).

    The schedule is how the noise-to-signal ratio σ / α rises with t:

    - ``cosine``, as arXiv 2102.09672 has it; for ``flow`` the same ratio at the same time (CosMap of arXiv 2403.03206).
    - ``linear``: β from 1e-4 to 0.02 (arXiv 2006.11239); for ``flow`` σ itself rises linearly.
    - ``shifted`` by resolution, because noise hides less of a larger image: the ratio is that of ``cosine`` times the
      latents' side / 64 (arXiv 2301.11093); for ``flow`` that of ``linear`` times side / 32 (arXiv 2403.03206, §5.3.2).

    Attributes:
        alphas, sigmas: by time: float32 [1000].
        betas: the same for diffusers' schedulers, as their arguments; not of ``flow``.
        prediction_type: what diffusers calls the objective.
    """

    def __init__(self, settings: ProxySettings) -> None:
        self.objective, self._schedule = settings.objective, settings.schedule
        self._shift = settings.scale.sample_size / _UNSHIFTED_SIDE[self.objective]
        self._min_snr = settings.min_snr
        self.prediction_type = _PREDICTION_TYPES[self.objective]
        self.betas = self._betas()
        if self.is_flow:
            self.sigmas = self.flow_sigmas(torch.arange(1, TRAIN_TIMESTEPS + 1) / TRAIN_TIMESTEPS)
            self.alphas = 1 - self.sigmas
        else:
            kept = DDPMScheduler(num_train_timesteps=TRAIN_TIMESTEPS, **self.betas).alphas_cumprod
            self.alphas, self.sigmas = kept**0.5, (1 - kept) ** 0.5

    @property
    def is_flow(self) -> bool:
        """Whether the path from latent to noise is straight."""
        return self.objective == "flow"

    def batch(self, latents: Tensor, noise: Tensor, times: Tensor, context: Tensor) -> Batch:
        """The task that latents [B, C, H, W], noise of that shape, times [B] and context [B, L, D] make."""
        return Batch(
            noisy=self.noisy(latents, noise, times),
            timesteps=self.timesteps(times),
            context=context,
            target=self.target(latents, noise, times),
            weight=self.weight(times),
        )

    def noisy(self, latents: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """The latents with so much noise: [B, C, H, W]."""
        return _each(self.alphas[times]) * latents + _each(self.sigmas[times]) * noise

    def target(self, latents: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """What the network should predict: [B, C, H, W]."""
        if self.objective == "epsilon":
            return noise
        if self.objective == "v":
            return _each(self.alphas[times]) * noise - _each(self.sigmas[times]) * latents
        return noise - latents

    def timesteps(self, times: Tensor) -> Tensor:
        """What the network is told of the times: themselves; of ``flow`` 1,000 σ, as diffusers has it. [B]"""
        return TRAIN_TIMESTEPS * self.sigmas[times] if self.is_flow else times

    def weight(self, times: Tensor) -> Tensor:
        """min-SNR weight of each loss (arXiv 2303.09556); 1 where the settings have none: [B].

        The loss of a predicted clean latent weighs min(SNR, γ), with SNR = α² / σ². That of ε has the weight / SNR, and
        both others · σ², because they are that loss times 1 / SNR and 1 / σ².
        """
        if self._min_snr is None:
            return torch.ones(times.shape)
        alpha, sigma = self.alphas[times], self.sigmas[times]
        snr = (alpha / sigma) ** 2
        limited = snr.clamp(max=self._min_snr)
        return limited / snr if self.objective == "epsilon" else limited * sigma**2

    def clean(self, noisy: Tensor, prediction: Tensor, timestep: Tensor) -> Tensor:
        """The latents that a prediction means.

        Args:
            noisy, prediction: [B, C, H, W].
            timestep: of all of them, as the network was told it: [].
        """
        sigma = timestep / TRAIN_TIMESTEPS if self.is_flow else self.sigmas[int(timestep)]
        if self.objective == "epsilon":
            return (noisy - sigma * prediction) / self.alphas[int(timestep)]
        if self.objective == "v":
            return self.alphas[int(timestep)] * noisy - sigma * prediction
        return noisy - sigma * prediction

    def flow_sigmas(self, places: Tensor) -> Tensor:
        """σ of ``flow`` at these parts of the way from latent to noise, each over 0 and at most 1."""
        if self._schedule == "cosine":
            return (1 - 1 / (torch.tan(math.pi / 2 * places.double()) + 1)).float()
        shift = self._shift if self._schedule == "shifted" else 1.0
        return shift * places / (1 + (shift - 1) * places)

    def _betas(self) -> dict[str, Any]:
        if self._schedule == "linear":
            return {"beta_schedule": "linear"}
        cosine = {"beta_schedule": "squaredcos_cap_v2"}
        if self._schedule == "cosine":
            return cosine
        kept = DDPMScheduler(num_train_timesteps=TRAIN_TIMESTEPS, **cosine).alphas_cumprod.double()
        snr = kept / (1 - kept) / self._shift**2
        kept = snr / (1 + snr)
        before = torch.cat([torch.ones(1), kept[:-1]])
        return {"trained_betas": (1 - kept / before).tolist()}


def spread_times(count: int, generator: torch.Generator) -> Tensor:
    """int64 [count]: one random time from each of ``count`` equal parts of the process, in random order.

    Spread evenly, a batch's loss varies less than with independent draws (arXiv 2107.00630).
    """
    places = torch.arange(count, dtype=torch.float64) + torch.rand(count, generator=generator, dtype=torch.float64)
    times = (places * TRAIN_TIMESTEPS / count).long().clamp(max=TRAIN_TIMESTEPS - 1)
    return times[torch.randperm(count, generator=generator)]


def loss(unet: nn.Module, batch: Batch) -> Tensor:
    """Mean squared error of what the network predicts for each image, without weights, where the network is: [B]."""
    batch = batch.to(device_of_network(unet))
    return error(unet(batch.noisy, batch.timesteps, batch.context), batch.target)


def device_of_network(unet: nn.Module) -> torch.device:
    """Where its weights are; the processor for one without any."""
    return next((weight.device for weight in unet.parameters()), torch.device("cpu"))


def error(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean square of the difference for each image: [B, ...] → [B]."""
    return (prediction.float() - target.float()).square().flatten(1).mean(1)


def _each(values: Tensor) -> Tensor:
    """[B] → [B, 1, 1, 1]"""
    return values[:, None, None, None]
