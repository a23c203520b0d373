"""Some images that stand for all."""

import torch
from torch import Tensor


def spread(indices: Tensor, most: int) -> Tensor:
    """At most so many of the indices [N], evenly spread over them."""
    count = min(most, len(indices))
    return indices[torch.arange(count) * len(indices) // count]
