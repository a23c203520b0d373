"""Where the dimensions of a tensor lie in memory, so that a permutation costs nothing until it must.

An order has, for every place in memory, the dimension of the tensor that lies there: a feature map [B, C, H, W] with
its channels last has the order (0, 2, 3, 1). A dimension of length 1 may lie anywhere.
"""

from collections.abc import Sequence
from itertools import chain

Order = tuple[int, ...]
Shape = tuple[int, ...]


def plain(rank: int) -> Order:
    """Every dimension in its own place."""
    return tuple(range(rank))


def lying(shape: Shape, order: Order) -> Shape:
    """The shape in memory."""
    return tuple(shape[dim] for dim in order)


def permuted(order: Order, dims: Sequence[int]) -> Order:
    """The order of the same memory once the tensor's dimensions are permuted, as `torch.permute` does."""
    return tuple(dims.index(dim) for dim in order)


def same_memory(shape: Shape, first: Order, second: Order) -> bool:
    """Whether both orders mean the same memory: they differ in dimensions of length 1 at most."""
    return _long(shape, first) == _long(shape, second)


def moved_last(order: Order, dim: int) -> Order:
    """The order with one dimension in the last place."""
    return (*(other for other in order if other != dim), dim)


def reshaped(shape: Shape, order: Order, new_shape: Shape) -> Order | None:
    """The order of the same memory once the tensor is reshaped; None where the memory must be moved for that.

    Dimensions are merged and split in groups; each group must lie together.
    """
    groups = _groups(shape, new_shape)
    if groups is None:
        return None
    lie = _long(shape, order)
    starts = {}
    for old, new in groups:
        at = lie.index(old[0])
        if lie[at : at + len(old)] != old:
            return None
        starts[at] = new
    found = list(chain.from_iterable(starts[at] for at in sorted(starts)))
    for dim, length in enumerate(new_shape):
        if length == 1:
            found.insert(found.index(dim - 1) + 1 if dim else 0, dim)
    return tuple(found)


def _long(shape: Shape, dims: Sequence[int]) -> list[int]:
    return [dim for dim in dims if shape[dim] != 1]


def _groups(shape: Shape, new_shape: Shape) -> list[tuple[list[int], list[int]]] | None:
    """Dimensions of both shapes, those of length 1 aside, that hold as many elements, as few at a time as possible."""
    old, new = _long(shape, plain(len(shape))), _long(new_shape, plain(len(new_shape)))
    groups: list[tuple[list[int], list[int]]] = []
    while old or new:
        if not (old and new):
            return None
        group = [old.pop(0)], [new.pop(0)]
        mine, theirs = shape[group[0][0]], new_shape[group[1][0]]
        while mine != theirs:
            if mine < theirs and old:
                group[0].append(old.pop(0))
                mine *= shape[group[0][-1]]
            elif theirs < mine and new:
                group[1].append(new.pop(0))
                theirs *= new_shape[group[1][-1]]
            else:
                return None
        groups.append(group)
    return groups
