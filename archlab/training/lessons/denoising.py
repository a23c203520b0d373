"""The lesson ``denoising``: images alone."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from archlab.diffusion.process import NoisyBatch, error
from archlab.training.examples import Examples
from archlab.training.lessons.lesson import Lesson, Materials


def denoising(materials: Materials) -> "Denoising":
    """Nothing but images is needed."""
    return Denoising(materials.network, materials.examples)


class Denoising(Lesson[NoisyBatch]):
    """The objective's target of noisy images, by the mean squared error."""

    def __init__(self, network: nn.Module, examples: Examples) -> None:
        self._network, self._examples = network, examples

    def batches(self, generator: torch.Generator) -> Iterator[NoisyBatch]:
        return self._examples.batches(generator)

    def losses(self, batch: NoisyBatch) -> Tensor:
        return self.own_losses(batch, self.prediction(batch))

    def prediction(self, batch: NoisyBatch) -> Tensor:
        """What the network answers: [B, C, H, W]."""
        answer: Tensor = self._network(channels_last(batch.noisy), batch.timesteps, batch.context)
        return answer

    def own_losses(self, batch: NoisyBatch, prediction: Tensor) -> Tensor:
        """The weighted error of each image's prediction: [B]."""
        return error(prediction, batch.target) * batch.weight


def channels_last(images: Tensor) -> Tensor:
    """[B, C, H, W] as [B, H, W, C] in memory, in which a network stays: its tokens are then views of its feature maps.

    A copy, because one with a single channel would count as either layout.
    """
    return images.clone(memory_format=torch.channels_last)
