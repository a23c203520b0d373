"""A graph's values as variables of the program that is being built, in two layouts."""

from collections.abc import Sequence

import numpy as np
from coremltools.converters.mil import Builder as mb
from numpy.typing import NDArray

from archlab.convert.coreml.operators import Var, split
from archlab.convert.graph import Constant, Value

CHANNELS_TO_FRONT = {3: (0, 2, 1), 4: (0, 3, 1, 2)}
CHANNELS_TO_END = {3: (0, 2, 1), 4: (0, 2, 3, 1)}
RANKS = tuple(CHANNELS_TO_END)  # of values that have a layout with channels first
_AXES = {3: (0, 3, 1), 4: (0, 2, 3, 1)}  # where a value's dimensions lie with channels first


class Variables:
    """Values of a graph: each in its own layout, or with channels first, or both; moved when the other is asked for.

    With channels first, tokens [B, L, C] are [B, C, 1, L], and [B, H, W, C] are [B, C, H, W].
    """

    def __init__(self) -> None:
        self._own: dict[Value, Var] = {}
        self._channels_first: dict[Value, Var] = {}

    def __contains__(self, value: Value) -> bool:
        return value in self._own or value in self._channels_first

    def is_channels_first(self, value: Value) -> bool:
        """Whether it is already there with channels first."""
        return value in self._channels_first

    def own(self, value: Value | None) -> Var:
        """In the value's own layout; an array where it is constant, None where it is absent."""
        if value is None:
            return None
        if isinstance(value, Constant):
            return array(value)
        if value not in self._own:
            x = self._channels_first[value]
            moved = mb.squeeze(x=x, axes=(2,)) if value.rank == 3 else x
            self._own[value] = mb.transpose(x=moved, perm=CHANNELS_TO_END[value.rank])
        return self._own[value]

    def channels_first(self, value: Value) -> Var:
        """With channels first; the value has 3 or 4 dimensions."""
        if isinstance(value, Constant):
            return array(value).transpose(CHANNELS_TO_FRONT[value.rank]).reshape(channels_first_shape(value))
        if value not in self._channels_first:
            moved = mb.transpose(x=self._own[value], perm=CHANNELS_TO_FRONT[value.rank])
            self._channels_first[value] = mb.expand_dims(x=moved, axes=(2,)) if value.rank == 3 else moved
        return self._channels_first[value]

    def put(self, value: Value, variable: Var) -> None:
        """The variable is the value in its own layout."""
        self._own[value] = variable

    def put_channels_first(self, value: Value, variable: Var) -> None:
        """The variable is the value with channels first."""
        self._channels_first[value] = variable

    def put_pieces(self, source: Value, dim: int, pieces: Sequence[Value]) -> None:
        """The pieces are all of the source, in order along the dimension. One operator, in the source's layout."""
        sizes = [piece.shape[dim] for piece in pieces]
        if self.is_channels_first(source):
            cut = split(self._channels_first[source], sizes, channels_first_axis(source, dim))
            self._channels_first.update(zip(pieces, cut, strict=True))
        else:
            self._own.update(zip(pieces, split(self._own[source], sizes, dim), strict=True))


def channels_first_axis(value: Value, dim: int) -> int:
    """Where the value's dimension lies with channels first."""
    return _AXES[value.rank][dim]


def channels_first_shape(value: Value) -> tuple[int, ...]:
    """The value's shape with channels first."""
    batch, *positions, channels = value.shape
    return (batch, channels, *(1,) * (2 - len(positions)), *positions)


def array(constant: Constant) -> NDArray[np.float32 | np.int32 | np.bool_]:
    """A constant in the types that programs have."""
    tensor = constant.tensor
    if tensor.is_floating_point():
        tensor = tensor.float()
    elif tensor.dtype.itemsize > 1:
        tensor = tensor.int()
    return tensor.detach().numpy()
