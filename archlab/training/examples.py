"""What a network learns from, step by step: the same for every architecture."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from archlab.diffusion.process import NoisyBatch, Process, spread_places, spread_times
from archlab.encoders.prepare import Prepared
from archlab.training.processes import ALONE, Processes


class LatentBatch(NamedTuple):
    """Latents without noise, and the random numbers of a step, for lessons that make of them what they need."""

    latents: Tensor  # [B, C, H, W]
    context: Tensor  # [B, L, D]
    noises: Tensor  # standard normal: [B, K, C, H, W]
    places: Tensor  # in [0, 1], each column spread over the batch: [B, J]

    @property
    def images(self) -> int:
        """How many there are."""
        return len(self.latents)

    def split(self, size: int) -> Iterator["LatentBatch"]:
        """Parts of at most ``size`` images."""
        return (LatentBatch(*parts) for parts in zip(*(torch.split(tensor, size) for tensor in self), strict=True))

    def to(self, device: torch.device) -> "LatentBatch":
        """The batch on that device; to a GPU it travels while the processor goes on."""
        if device.type == "cpu":
            return self
        return LatentBatch(*(tensor.pin_memory().to(device, non_blocking=True) for tensor in self))

    def rounds(self, count: int) -> list["LatentBatch"]:
        """The same images so many times, each with its share of the random numbers."""
        shares = zip(self.noises.chunk(count, dim=1), self.places.chunk(count, dim=1), strict=True)
        return [LatentBatch(self.latents, self.context, noises, places) for noises, places in shares]


@dataclass(frozen=True, eq=False)
class Examples:
    """Images of the training split with noise, and their captions, some of which are left out for guidance.

    Attributes:
        batch_size: of this process.
        prompt_dropout: the share of captions that are replaced by the empty one.
        processes: among which a step's images are parted; each draws the random numbers of all of them, so that what
            they learn from together does not depend on how many they are.
    """

    prepared: Prepared
    process: Process
    batch_size: int
    prompt_dropout: float
    processes: Processes = ALONE

    def batches(self, generator: torch.Generator) -> Iterator[NoisyBatch]:
        """Batches without end; whoever sets the generator's state back gets the same ones again."""
        return (batch for _, batch in self.indexed_batches(generator, spread_times))

    def indexed_batches(
        self, generator: torch.Generator, times_of: Callable[[int, torch.Generator], Tensor]
    ) -> Iterator[tuple[Tensor, NoisyBatch]]:
        """As `batches`, each with where its images are in the data: int64 [B].

        Args:
            times_of: draws times of 0 … 999 for so many images: int64 [B].
        """
        train, part, count = self.prepared.data.train, self.processes.part, self._count
        while True:
            chosen = part(train[torch.randint(len(train), (count,), generator=generator)])
            noise = part(torch.randn((count, *self.prepared.latents.shape[1:]), generator=generator))
            times = part(times_of(count, generator))
            context = self._context(chosen, generator)
            yield chosen, self.process.batch(self.prepared.latents[chosen], noise, times, context)

    def latent_batches(self, generator: torch.Generator, *, noises: int, places: int) -> Iterator[LatentBatch]:
        """As `batches`, without noise but with so many noises and places an image."""
        train, part, count = self.prepared.data.train, self.processes.part, self._count
        while True:
            chosen = part(train[torch.randint(len(train), (count,), generator=generator)])
            noise = part(torch.randn((count, noises, *self.prepared.latents.shape[1:]), generator=generator))
            columns = part(torch.stack([spread_places(count, generator) for _ in range(places)], dim=1))
            yield LatentBatch(self.prepared.latents[chosen], self._context(chosen, generator), noise, columns)

    @property
    def _count(self) -> int:
        """Images of all processes."""
        return self.batch_size * self.processes.count

    def _context(self, chosen: Tensor, generator: torch.Generator) -> Tensor:
        """The captions of this process's images, some of which are left out: [B, L, D]."""
        dropped = self.processes.part(torch.rand(self._count, generator=generator) < self.prompt_dropout)
        return torch.where(dropped[:, None, None], self.prepared.null_context, self.prepared.context(chosen))

    def first(self, count: int, seed: int) -> Iterator[NoisyBatch]:
        """The first batches of that seed."""
        return islice(self.batches(torch.Generator().manual_seed(seed)), count)
