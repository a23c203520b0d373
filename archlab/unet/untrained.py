"""Networks before any training."""

import torch

from archlab.architecture import UNetSpec
from archlab.unet.unet import UNet, build


def untrained(spec: UNetSpec, seed: int) -> UNet:
    """The network with weights that follow ``seed`` alone; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(spec)
