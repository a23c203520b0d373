"""What a network learns from, step by step: the same for every architecture."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import torch

from archlab.diffusion.process import NoisyBatch, Process, spread_times
from archlab.encoders.prepare import Prepared


@dataclass(frozen=True, eq=False)
class Examples:
    """Images of the training split with noise, and their captions, some of which are left out for guidance.

    Attributes:
        prompt_dropout: the share of captions that are replaced by the empty one.
    """

    prepared: Prepared
    process: Process
    batch_size: int
    prompt_dropout: float

    def batches(self, generator: torch.Generator) -> Iterator[NoisyBatch]:
        """Batches without end; whoever sets the generator's state back gets the same ones again."""
        null, count, train = self.prepared.null_context, self.batch_size, self.prepared.data.train
        while True:
            chosen = train[torch.randint(len(train), (count,), generator=generator)]
            noise = torch.randn((count, *self.prepared.latents.shape[1:]), generator=generator)
            times = spread_times(count, generator)
            dropped = torch.rand(count, generator=generator) < self.prompt_dropout
            context = torch.where(dropped[:, None, None], null, self.prepared.context(chosen))
            yield self.process.batch(self.prepared.latents[chosen], noise, times, context)

    def first(self, count: int, seed: int) -> Iterator[NoisyBatch]:
        """The first batches of that seed."""
        return islice(self.batches(torch.Generator().manual_seed(seed)), count)
