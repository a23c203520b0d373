"""Where something is computed, and how much of it at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from archlab.errors import BadInput, OutOfMemory
from archlab.section import Count, Section

if TYPE_CHECKING:
    import torch

_ALLOCATION_FAILED = ("can't allocate memory", "not enough memory", "bad_alloc", "out of memory")  # as RuntimeError


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
        raise BadInput("device: no GPU with CUDA is found; take cpu or auto")
    return torch.device("cuda" if settings.device != "cpu" and has_cuda else "cpu")


@contextmanager
def torch_threads(number: int | None) -> Iterator[None]:
    """Run the block with this many of torch's threads; None leaves them as they are."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def naming_out_of_memory(images: int) -> Iterator[None]:
    """Run the block with so many images in memory at once.

    Raises:
        OutOfMemory: they are too many.
    """
    import torch

    try:
        yield
    except (MemoryError, RuntimeError) as error:
        is_named = isinstance(error, (MemoryError, torch.OutOfMemoryError))
        if not is_named and not any(sign in str(error) for sign in _ALLOCATION_FAILED):
            raise
        raise OutOfMemory(f"out of memory with {images} images at once; try a smaller micro_batch") from error
