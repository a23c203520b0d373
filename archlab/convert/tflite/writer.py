"""What of a graph has been written into a file so far, and where its dimensions lie."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from archlab.convert.graph import Constant, Value
from archlab.convert.tflite.layout import Order, Shape, lying, plain, same_memory
from archlab.convert.tflite.model import Array, ModelFile


@dataclass(frozen=True, slots=True)
class Stored:
    """A value in the file.

    Attributes:
        tensor: its number.
        shape: of that tensor; a reshape that has not been needed yet is not in it.
        order: of the value's dimensions in memory.
    """

    tensor: int
    shape: Shape
    order: Order


@dataclass
class Writer:
    """A file and the values that are in it.

    Attributes:
        precision: of the weights of products, see `archlab.convert.tflite.weights`.
    """

    precision: str = "fp32"
    file: ModelFile = field(default_factory=ModelFile)
    stored: dict[Value, Stored] = field(default_factory=dict)
    _made: dict[Hashable, int] = field(default_factory=dict)

    def emit(
        self,
        operator: str,
        inputs: Sequence[int],
        shape: Sequence[int],
        *,
        dtype: str = "float32",
        version: int = 1,
        options: dict[str, Any] | None = None,
    ) -> int:
        """One of TFLite's operators, with one output of that shape: its tensor."""
        output = self.file.tensor(shape, dtype)
        self.file.operator(operator, inputs, [output], version, options)
        return output

    def once(self, key: Hashable, make: Callable[[], int]) -> int:
        """A tensor that is made at its first use."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def constant(self, array: Array) -> int:
        """A tensor of known numbers."""
        return self.file.constant(array)

    def numbers(self, *numbers: float) -> int:
        """A float32 vector; a scalar where there is one number."""
        return self.constant(np.array(numbers if len(numbers) > 1 else numbers[0], np.float32))

    def integers(self, numbers: Sequence[int]) -> int:
        """An int32 vector."""
        return self.constant(np.array(numbers, np.int32))

    def find(self, value: Value) -> Stored:
        """The value as it lies in the file."""
        if isinstance(value, Constant) and value not in self.stored:
            self.stored[value] = Stored(self.constant(as_array(value.tensor)), value.shape, plain(value.rank))
        return self.stored[value]

    def read(self, value: Value, order: Order) -> int:
        """A tensor that has the value's dimensions in this order."""
        if isinstance(value, Constant):
            return self.constant(as_array(value.tensor).transpose(order))
        found = self.find(value)
        tensor, shape = found.tensor, found.shape
        wanted = lying(value.shape, order)
        if not same_memory(value.shape, found.order, order):
            lies = lying(value.shape, found.order)
            moves = [found.order.index(dim) for dim in order]
            return self.transposed(self.reshaped(tensor, shape, lies), moves, wanted)
        return self.reshaped(tensor, shape, wanted)

    def broadcast(self, value: Value, order: Order) -> int:
        """A tensor that has the value's dimensions in this order, ones put before it where it has fewer."""
        missing = len(order) - value.rank
        if not missing:
            return self.read(value, order)
        aligned = (1,) * missing + value.shape
        if isinstance(value, Constant):
            return self.constant(as_array(value.tensor).reshape(aligned).transpose(order))
        own = tuple(dim - missing for dim in order if dim >= missing)
        return self.reshaped(self.read(value, own), lying(value.shape, own), lying(aligned, order))

    def reshaped(self, tensor: int, shape: Shape, wanted: Shape) -> int:
        """The tensor of ``shape`` in another."""
        if shape == wanted:
            return tensor
        return self._moved("RESHAPE", tensor, wanted, wanted)

    def transposed(self, tensor: int, moves: Sequence[int], wanted: Shape) -> int:
        """The tensor with its dimensions moved, as `numpy.transpose` does, which gives it the shape ``wanted``."""
        return self._moved("TRANSPOSE", tensor, tuple(moves), wanted)

    def _moved(self, operator: str, tensor: int, how: Shape, wanted: Shape) -> int:
        return self.once(
            (operator, tensor, how),
            lambda: self.emit(operator, [tensor, self.integers(how)], wanted, dtype=self.file.type_of(tensor)),
        )


def as_array(tensor: Tensor) -> Array:
    """The tensor's own memory, where it is of a type that a file has; else a copy."""
    known = torch.float32 if tensor.dtype.is_floating_point else torch.int32
    return tensor.detach().to("cpu", known).numpy()
