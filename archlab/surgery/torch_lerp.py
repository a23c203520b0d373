"""One kernel for the moving average of many tensors.

Written for torch 2.11 to 2.13: ``torch._foreach_lerp_`` is private. Tensor by tensor is a little slower.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from archlab.surgery.fallback import fall_back

WRITTEN_FOR = "2.11 to 2.13"


def lerp_all(averages: Sequence[Tensor], values: Sequence[Tensor], weight: float) -> None:
    """Move each average towards its value by that part of the way, in place."""
    if hasattr(torch, "_foreach_lerp_"):
        torch._foreach_lerp_(list(averages), list(values), weight)
        return
    fall_back("torch", WRITTEN_FOR, "there is no _foreach_lerp_", "weights are averaged tensor by tensor")
    for average, value in zip(averages, values, strict=True):
        average.lerp_(value, weight)
