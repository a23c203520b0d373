"""The lesson of a control: what it adds to a UNet that stays as it is makes that draw along its pictures."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from archlab.data.conditions import Conditions
from archlab.diffusion.guidance import guidance_embedding
from archlab.diffusion.paths import TRAIN_TIMESTEPS
from archlab.diffusion.process import NoisyBatch, error, spread_places
from archlab.training.examples import Examples
from archlab.training.lessons.denoising import channels_last
from archlab.training.lessons.lesson import Lesson
from archlab.unet import UNet
from archlab.unet.controlled import ControlNetwork, residuals_of

Times = Callable[[int, torch.Generator], Tensor]


class ControlBatch(NamedTuple):
    """What a UNet is asked, and what its control is shown."""

    task: NoisyBatch
    pictures: Tensor  # [B, 3, H, W]

    @property
    def images(self) -> int:
        """How many there are."""
        return len(self.pictures)

    def split(self, size: int) -> Iterator["ControlBatch"]:
        """Parts of at most ``size`` images."""
        parts = zip(self.task.split(size), torch.split(self.pictures, size), strict=True)
        return (ControlBatch(task, pictures) for task, pictures in parts)

    def to(self, device: torch.device) -> "ControlBatch":
        """The batch on that device."""
        return ControlBatch(self.task.to(device), self.pictures.to(device))


@dataclass(frozen=True, eq=False, kw_only=True)
class Controlling(Lesson[ControlBatch]):
    """The UNet's own loss, by what the control adds.

    Attributes:
        network: the control, which learns.
        unet: on its device; it needs no gradient.
        conditions: a picture of each of the data's images.
        times: at which the UNet is asked.
        guidance: that a UNet is given which has it as an input.
    """

    network: ControlNetwork
    unet: UNet
    examples: Examples
    conditions: Conditions
    times: Times
    guidance: float

    def batches(self, generator: torch.Generator) -> Iterator[ControlBatch]:
        for chosen, task in self.examples.indexed_batches(generator, self.times):
            yield ControlBatch(task, self.conditions[chosen])

    def losses(self, batch: ControlBatch) -> Tensor:
        noisy, times, context, target, weight = batch.task
        noisy = channels_last(noisy)
        residuals = residuals_of(self.network, noisy, times, context, batch.pictures)
        answer = self.unet(noisy, times, context, guidance=self._guidance(len(noisy)), residuals=residuals)
        return error(answer, target) * weight

    def _guidance(self, images: int) -> Tensor | None:
        if self.unet.spec.guidance_dim is None:
            return None
        embedding = guidance_embedding(torch.full((images,), self.guidance), self.unet.spec.guidance_dim)
        return embedding.to(self.unet.conv_in.weight.device)


def mostly_late_times(count: int, generator: torch.Generator) -> Tensor:
    """Times (1 − u³) · 1000: where there is most noise a picture says most (T2I-Adapter, arXiv 2302.08453)."""
    late = (1 - spread_places(count, generator) ** 3) * TRAIN_TIMESTEPS
    return late.long().clamp(0, TRAIN_TIMESTEPS - 1)


def only(times: Tensor) -> Times:
    """None but these, each as often as the others: int64 [T]."""

    def drawn(count: int, generator: torch.Generator) -> Tensor:
        places = spread_places(count, generator)
        return times[(places * len(times)).long().clamp(max=len(times) - 1)]

    return drawn
