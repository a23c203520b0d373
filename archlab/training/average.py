"""An exponential moving average of a network's weights."""

import torch
from torch import nn

from archlab.surgery.torch_lerp import lerp_all


def average_weights(averaged: nn.Module, network: nn.Module, updates: int, decay: float) -> None:
    """Update a moving average of what is learnt; it forgets faster while young, as diffusers' ``EMAModel`` has it.

    Args:
        updates: how many there were before; the first one copies.
    """
    weight = min(decay, (1 + updates) / (10 + updates)) if updates else 0.0
    pairs = [
        (average, weights)
        for average, weights in zip(averaged.parameters(), network.parameters(), strict=True)
        if weights.requires_grad
    ]
    averages, values = zip(*pairs, strict=True)
    with torch.no_grad():
        lerp_all(averages, values, 1 - weight)
