"""Where something is computed, and how much of it at once."""

from typing import TYPE_CHECKING, Literal

from archlab.errors import BadInput
from archlab.section import Count, Section

if TYPE_CHECKING:
    import torch


class ComputeSettings(Section):
    """How a training runs. None of it decides what comes out, but for the device: its type rounds in its own way."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Count | None = None  # of torch while training on the CPU; absent: torch's own choice
    micro_batch: Count | None = None  # images that are in memory at once; absent: the whole batch
    checkpointing: bool = False  # blocks are computed again for the gradient, which takes longer and less memory


def device_of(settings: ComputeSettings) -> "torch.device":
    """Where encoders and networks run: the CPU, or a GPU with CUDA.

    Raises:
        BadInput: CUDA is asked for and there is none.
    """
    import torch

    has_cuda = torch.cuda.is_available()
    if settings.device == "cuda" and not has_cuda:
        raise BadInput("proxy.device: no GPU with CUDA is found; take cpu or auto")
    return torch.device("cuda" if settings.device != "cpu" and has_cuda else "cpu")
