"""What a network learns from, step by step: the same for every architecture."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import torch

from archlab.diffusion.process import NoisyBatch, Process, spread_times
from archlab.encoders.prepare import Prepared
from archlab.training.processes import ALONE, Processes


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
        null, train, part = self.prepared.null_context, self.prepared.data.train, self.processes.part
        count = self.batch_size * self.processes.count
        while True:
            chosen = part(train[torch.randint(len(train), (count,), generator=generator)])
            noise = part(torch.randn((count, *self.prepared.latents.shape[1:]), generator=generator))
            times = part(spread_times(count, generator))
            dropped = part(torch.rand(count, generator=generator) < self.prompt_dropout)
            context = torch.where(dropped[:, None, None], null, self.prepared.context(chosen))
            yield self.process.batch(self.prepared.latents[chosen], noise, times, context)

    def first(self, count: int, seed: int) -> Iterator[NoisyBatch]:
        """The first batches of that seed."""
        return islice(self.batches(torch.Generator().manual_seed(seed)), count)
