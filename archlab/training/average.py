"""An exponential moving average of a network's weights."""

import torch
from torch import nn

from archlab.surgery.torch_lerp import lerp_all


def average_weights(averaged: nn.Module, network: nn.Module, updates: int, decay: float) -> None:
    """Update a moving average that forgets faster while young, as diffusers' ``EMAModel`` has it.

    Args:
        updates: how many there were before; the first one copies.
    """
    weight = min(decay, (1 + updates) / (10 + updates)) if updates else 0.0
    with torch.no_grad():
        lerp_all(list(averaged.parameters()), list(network.parameters()), 1 - weight)
