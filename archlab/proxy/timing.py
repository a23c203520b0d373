"""How long a training of a proxy takes on this computer, from a few steps of one."""

import time

import torch

from archlab.architecture import UNetSpec
from archlab.compute import device_of
from archlab.proxy.evaluate import proxy_spec
from archlab.proxy.settings import ProxySettings
from archlab.unet import build

_WARM_UP, _TIMED = 1, 3  # steps


def seconds_per_step(spec: UNetSpec, settings: ProxySettings) -> float:
    """Seconds of a step, forward and backward, of the architecture's proxy at the study's batch size.

    Args:
        spec: the target, not yet shrunk.

    Raises:
        BadInput: with these settings no proxy can be trained.
    """
    shrunk, device = proxy_spec(spec, settings), device_of(settings)
    unet, images = build(shrunk).to(device), settings.micro_batch or settings.batch_size
    sample = torch.randn(images, shrunk.in_channels, shrunk.sample_size, shrunk.sample_size, device=device)
    context = torch.randn(images, shrunk.context_length, shrunk.context_dim, device=device)
    timesteps, started = torch.zeros(images, device=device), 0.0
    for step in range(_WARM_UP + _TIMED):
        if step == _WARM_UP:
            started = time.perf_counter()
        loss = unet(sample, timesteps, context).square().mean()
        loss.backward()
        loss.item()  # waits for a GPU
    return (time.perf_counter() - started) / _TIMED * settings.batch_size / images
