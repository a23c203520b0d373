"""What a proxy learns from, step by step: the same for every architecture."""

from collections.abc import Iterator
from itertools import islice

import torch

from archlab.diffusion.process import Batch, Process, spread_times
from archlab.encoders.prepare import Prepared
from archlab.space.settings import ProxySettings


def batches(prepared: Prepared, settings: ProxySettings, seed: int) -> Iterator[Batch]:
    """One batch for each step."""
    return islice(endless_batches(prepared, settings, torch.Generator().manual_seed(seed)), settings.rungs[-1])


def endless_batches(prepared: Prepared, settings: ProxySettings, generator: torch.Generator) -> Iterator[Batch]:
    """Batches without end; whoever sets the generator's state back gets the same ones again."""
    process, null = Process(settings), prepared.null_context
    train, count = prepared.data.train, settings.batch_size
    while True:
        chosen = train[torch.randint(len(train), (count,), generator=generator)]
        noise = torch.randn((count, *prepared.latents.shape[1:]), generator=generator)
        times = spread_times(count, generator)
        dropped = torch.rand(count, generator=generator) < settings.prompt_dropout
        context = torch.where(dropped[:, None, None], null, prepared.context(chosen))
        yield process.batch(prepared.latents[chosen], noise, times, context)
