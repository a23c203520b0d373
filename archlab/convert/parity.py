"""How far a converted network is from torch's, on the same inputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from archlab.convert.graph import evaluating

PARITY_TOLERANCES = {"fp32": 1e-4, "fp16": 5e-3, "int8": 0.15}
"""The largest relative difference of a correct TFLite file, by precision: about five times what random networks of
every knob show for the two smaller ones (7e-4 and 3e-2), a hundred times for float32."""


@dataclass(frozen=True, slots=True)
class Parity:
    """The largest difference of two outputs.

    Attributes:
        max_abs: largest absolute difference; NaN where either output has a value that is not finite.
        max_relative: the same as a share of the output's scale, its largest absolute value.
    """

    max_abs: float
    max_relative: float

    def within(self, tolerance: float) -> bool:
        """Whether the relative difference is at most ``tolerance``; a NaN never is."""
        return self.max_relative <= tolerance


def torch_output(module: nn.Module, inputs: Mapping[str, Tensor]) -> NDArray[np.float32]:
    """What torch computes in eval mode, without touching the module's own mode."""
    (output,) = torch_outputs(module, inputs)
    return output


def torch_outputs(module: nn.Module, inputs: Mapping[str, Tensor]) -> list[NDArray[np.float32]]:
    """Likewise of a module that gives one tensor or several."""
    with torch.no_grad(), evaluating(module):
        made = module(**inputs)
    tensors = [made] if isinstance(made, Tensor) else made
    return [np.asarray(tensor.numpy(), dtype=np.float32) for tensor in tensors]


def parity_of_all(expected: Sequence[NDArray[np.float32]], actual: Sequence[NDArray[np.float32]]) -> Parity:
    """The worst of several outputs."""
    parities = [parity_of(*pair) for pair in zip(expected, actual, strict=True)]
    return Parity(max(each.max_abs for each in parities), max(each.max_relative for each in parities))


def parity_of(expected: NDArray[np.float32], actual: NDArray[np.float32]) -> Parity:
    """Compare an output with the expected one, in float64.

    Raises:
        ValueError: the shapes differ.
    """
    if expected.shape != actual.shape:
        raise ValueError(f"outputs of shapes {expected.shape} and {actual.shape} cannot be compared")
    difference = np.abs(expected.astype(np.float64) - actual.astype(np.float64))
    if not np.isfinite(difference).all():
        return Parity(float("nan"), float("nan"))
    scale = float(np.abs(expected).max())
    max_abs = float(difference.max())
    return Parity(max_abs, max_abs / scale if scale else (0.0 if max_abs == 0 else float("inf")))
