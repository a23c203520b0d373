"""A network's parameters in one piece of memory: what is done with all of them is one operation instead of hundreds."""

from collections.abc import Sequence

import torch
from torch import nn


def flatten(parameters: Sequence[nn.Parameter]) -> nn.Parameter:
    """All of them as one, [P]; they become views of its parts, in their order."""
    flat = nn.Parameter(torch.cat([parameter.detach().flatten() for parameter in parameters]))
    parts = torch.split(flat.detach(), [parameter.numel() for parameter in parameters])
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.data = part.view_as(parameter)
    return flat


def gather_gradients(flat: nn.Parameter, parameters: Sequence[nn.Parameter]) -> None:
    """Hand the gradients of the ``parameters``, zero where there is none, on to what `flatten` made of them."""
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    flat.grad = torch.cat([gradient.flatten() for gradient in gradients])
    for parameter in parameters:
        parameter.grad = None
