"""torch's calls of order and shape. A reshape of a reshape is one, as is a permutation of a permutation."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from archlab.convert.graph.symbol import Symbol, call, record, symbol


@call("reshape", "view", "view_as", "reshape_as")
def _reshape(input: Tensor, *shape: Any) -> Any:
    first = shape[0]
    if isinstance(first, torch.dtype):
        return NotImplemented
    sizes = tuple(first.shape) if isinstance(first, Tensor) else listed(shape)
    known = -math.prod(sizes)
    wanted = tuple(input.numel() // known if n == -1 else n for n in sizes) if -1 in sizes else sizes
    source = input
    while isinstance(source, Symbol) and (made := source.value.operation) and made.operator == "reshape":
        source = symbol(made.inputs[0])  # type: ignore[arg-type]  # a reshape has its input
    return source if tuple(source.shape) == wanted else record("reshape", source, shape=wanted)


@call("flatten")
def _flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    start, end = start_dim % input.ndim, end_dim % input.ndim
    shape = input.shape
    return input.reshape(*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :])


@call("unflatten")
def _unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    dim = dim % input.ndim
    rest = -math.prod(sizes)
    known = [input.shape[dim] // rest if n == -1 else n for n in sizes]
    return input.reshape(*input.shape[:dim], *known, *input.shape[dim + 1 :])


@call("squeeze")
def _squeeze(input: Tensor, dim: Any = None) -> Tensor:
    dims = range(input.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    dropped = {d for d in dims_of(input, dims) if input.shape[d] == 1}
    return input.reshape([n for i, n in enumerate(input.shape) if i not in dropped])


@call("unsqueeze")
def _unsqueeze(input: Tensor, dim: int) -> Tensor:
    at = dim % (input.ndim + 1)
    return input.reshape(*input.shape[:at], 1, *input.shape[at:])


@call("permute")
def _permute(input: Tensor, *dims: Any) -> Tensor:
    order = dims_of(input, listed(dims))
    source = input
    made = input.value.operation if isinstance(input, Symbol) else None
    if made and made.operator == "permute":
        source = symbol(made.inputs[0])  # type: ignore[arg-type]  # a permutation has its input
        order = tuple(made.attributes["dims"][dim] for dim in order)
    return source if order == tuple(range(len(order))) else record("permute", source, dims=order)


@call("transpose", "swapaxes", "swapdims")
def _transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    order = list(range(input.ndim))
    order[dim0], order[dim1] = order[dim1], order[dim0]
    return input.permute(order)


@call("movedim", "moveaxis")
def _movedim(input: Tensor, source: int, destination: int) -> Tensor:
    order = [dim for dim in range(input.ndim) if dim != source % input.ndim]
    order.insert(destination % input.ndim, source % input.ndim)
    return input.permute(order)


@call(".mT", "t", ".T")
def _matrix_transposed(input: Tensor) -> Tensor:
    return input.transpose(-2, -1)


@call("expand", "expand_as", "broadcast_to")
def _expand(input: Tensor, *shape: Any) -> Tensor:
    sizes = tuple(shape[0].shape) if isinstance(shape[0], Tensor) else listed(shape)
    aligned = (1,) * (len(sizes) - input.ndim) + tuple(input.shape)
    wanted = tuple(own if n == -1 else n for n, own in zip(sizes, aligned, strict=True))
    reshaped = input.reshape(aligned)
    return reshaped if aligned == wanted else record("expand", reshaped, shape=wanted)


@call("cat", "concat", "concatenate")
def _cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    return tensors[0] if len(tensors) == 1 else record("concatenate", *tensors, dim=dim % tensors[0].ndim)


@call("stack")
def _stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    return torch.cat([tensor.unsqueeze(dim) for tensor in tensors], dim % (tensors[0].ndim + 1))


@call("chunk")
def _chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    return torch.split(input, -(-input.shape[dim] // chunks), dim)


@call("split", "split_with_sizes")
def _split(tensor: Tensor, split_size_or_sections: Any = None, dim: int = 0, split_size: Any = None) -> Any:
    sizes = split_size if split_size_or_sections is None else split_size_or_sections
    length = tensor.shape[dim]
    if isinstance(sizes, int):
        sizes = [min(sizes, length - start) for start in range(0, length, sizes)]
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    return tuple(torch.narrow(tensor, dim, start, size) for start, size in zip(starts, sizes, strict=True))


@call("unbind")
def _unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    return tuple(torch.select(input, dim, index) for index in range(input.shape[dim]))


@call("select")
def _select(input: Tensor, dim: int, index: int) -> Tensor:
    return torch.narrow(input, dim, index % input.shape[dim], 1).squeeze(dim)


@call("narrow")
def _narrow(input: Tensor, dim: int, start: int, length: int) -> Any:
    return _sliced(input, dim % input.ndim, start % max(input.shape[dim], 1), length, 1)


@call("getitem")
def _getitem(input: Tensor, index: Any) -> Any:
    words = list(index) if isinstance(index, tuple) else [index]
    if any(not (word is None or word is Ellipsis or isinstance(word, int | slice)) for word in words):
        return NotImplemented
    named = sum(isinstance(word, int | slice) for word in words)
    at = words.index(Ellipsis) if Ellipsis in words else len(words)
    words[at : at + 1] = [slice(None)] * (input.ndim - named)
    shape: list[int] = []
    sliced, dim = input, 0
    for word in words:
        if word is None:
            shape.append(1)
            continue
        length = input.shape[dim]
        chosen = range(length)[word] if isinstance(word, slice) else range(length)[word : word + 1 or None]
        sliced = _sliced(sliced, dim, chosen.start, len(chosen), chosen.step)
        if isinstance(word, slice):
            shape.append(len(chosen))
        dim += 1
    return sliced.reshape(shape)


def _sliced(input: Tensor, dim: int, start: int, length: int, step: int) -> Any:
    if length == input.shape[dim]:
        return input
    return (
        NotImplemented
        if step < 1 or not length
        else record("slice", input, dim=dim, start=start, length=length, step=step)
    )


def dims_of(input: Tensor, dims: Any) -> tuple[int, ...]:
    """The dimensions counted from the front."""
    return tuple(dim % input.ndim for dim in dims)


def listed(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """Sizes given one by one, or as one sequence."""
    return tuple(sizes[0]) if len(sizes) == 1 and not isinstance(sizes[0], int) else tuple(sizes)
