"""What tensors without numbers (torch's device ``meta``) would take in memory, and be attended by.

Written for torch 2.11 to 2.13: modes that see every operator stand in ``torch.utils._python_dispatch``, a private
module, and the fused kernel of attention that has a form for ``meta`` is a private operator. Without the kernel
attention is counted as torch composes it, with all of its scores.
"""

import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from archlab.surgery.fallback import fall_back

WRITTEN_FOR = "2.11 to 2.13"


class Allocations(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """Adds up the memory of every tensor from when it is made until its last view is gone.

    Attributes:
        peak: the most that there was at a time, in bytes.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = self._now = 0
        self._known: dict[int, weakref.ref[torch.UntypedStorage]] = {}

    def forget_peak(self) -> int:
        """What there is now, from which ``peak`` begins anew."""
        self.peak = self._now
        return self._now

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        results = func(*args, **(kwargs or {}))
        for result in results if isinstance(results, (tuple, list)) else (results,):
            if isinstance(result, Tensor):
                self._note(result.untyped_storage())
        return results

    def _note(self, storage: torch.UntypedStorage) -> None:
        place, size = id(storage), storage.nbytes()
        if place in self._known:
            return

        def gone(_: object) -> None:
            self._now -= size
            del self._known[place]

        self._known[place] = weakref.ref(storage, gone)
        self._now += size
        self.peak = max(self.peak, self._now)


def fused_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """As `torch.nn.functional.scaled_dot_product_attention`, which a fused kernel computes: it keeps no scores."""
    kernel = getattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu", None)
    if kernel is None:
        fall_back(
            "torch", WRITTEN_FOR, "there is no fused kernel for meta", "memory is counted with attention's scores"
        )
        return F.scaled_dot_product_attention(query, key, value)
    attended: Tensor = kernel(query, key, value)[0]
    return attended
