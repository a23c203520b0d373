"""Several processes that train one network together, each on its part of every batch: data parallelism."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor

from archlab.errors import BadInput, RunFailed, require

_COUNTS = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")  # of torchrun, of kinds of MPI
_LONGEST_WAIT = timedelta(hours=6)  # while the first one validates, draws and writes


@dataclass(frozen=True)
class Processes:
    """Those that train together. What they do together, each of them does, in the same order.

    Attributes:
        rank: of this one, from 0.
        count: of all.
    """

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this one writes, shows and scores for all."""
        return self.rank == 0

    def part(self, whole: Tensor) -> Tensor:
        """What of [count · B, …] is this one's: [B, …]."""
        return whole.chunk(self.count)[self.rank]

    def average(self, values: Tensor) -> Tensor:
        """Replace the values by their mean over all processes, in place; they are on the device of the training."""
        if self.count > 1:
            torch.distributed.all_reduce(values)
            values /= self.count
        return values

    def wait(self) -> None:
        """Until all of them are here."""
        if self.count > 1:
            torch.distributed.barrier()


ALONE = Processes()


def launched(device: torch.device, environment: Mapping[str, str] = os.environ) -> Processes:
    """Those that ``accelerate launch``, ``torchrun`` or ``mpirun`` started; `ALONE` where nothing of the kind did.

    Afterwards ``cuda`` is each one's own GPU.

    Args:
        device: where they train; of a GPU the kind counts alone.

    Raises:
        MissingExtra: there are several, and no accelerate.
        BadInput: ``accelerate launch`` was asked for several and started one.
        RunFailed: they did not find each other.
    """
    count = next((int(environment[name]) for name in _COUNTS if name in environment), None)
    if count is None and "ACCELERATE_MIXED_PRECISION" in environment and "MASTER_ADDR" in environment:
        raise BadInput(
            "accelerate launch was asked for several processes and started one: on GPUs it needs --multi_gpu; on CPUs "
            "start them by torchrun --nproc_per_node"
        )
    if count is None or count == 1:
        return ALONE
    accelerate = require("accelerate", "training in several processes", "accelerate")
    state = accelerate.PartialState(cpu=device.type == "cpu", timeout=_LONGEST_WAIT)
    if state.num_processes != count:
        raise RunFailed(f"{count} processes were started to train together, and {state.num_processes} found each other")
    return Processes(state.process_index, state.num_processes)
