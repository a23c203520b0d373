"""Where a network is trained."""

import torch

from archlab.compute import ComputeSettings, device_of
from archlab.errors import BadInput
from archlab.training.settings import TrainingSettings


def training_device(compute: ComputeSettings, training: TrainingSettings) -> torch.device:
    """The CPU, or a GPU with CUDA.

    Raises:
        BadInput: there is no such device, or it does not compute with the precision that is asked for.
    """
    device = device_of(compute)
    if training.precision == "bf16" and device.type == "cpu":
        raise BadInput("precision: bf16 needs a CUDA device, and training is on the CPU; take fp32")
    return device
