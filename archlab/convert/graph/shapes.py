"""The shape that an operator gives. torch's own way, meta tensors, imports its compiler: seconds."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from archlab.convert.graph.operators import OPERATORS, Shape

Known = tuple[int, ...]


def shape_of(operator: str, shapes: list[Known | None], attributes: dict[str, Any]) -> Known:
    """The shape of an operator's result, from those of its inputs.

    Raises:
        KeyError: there is no such operator.
        RuntimeError: the shapes do not fit.
    """
    if operator in _RULES:
        return _RULES[operator](*shapes, **attributes)
    if operator not in OPERATORS:
        raise KeyError(operator)
    return tuple(np.broadcast_shapes(*(shape for shape in shapes if shape is not None)))


def _of_first(x: Known, *_: Known | None, **__: Any) -> Known:
    return x


def _reduced(x: Known, dims: Shape) -> Known:
    return tuple(1 if dim in dims else n for dim, n in enumerate(x))


def _linear(x: Known, weight: Known, bias: Known | None) -> Known:
    _check(x[-1] == weight[1], x, weight)
    return (*x[:-1], weight[0])


def _conv2d(
    x: Known, weight: Known, bias: Known | None, stride: Shape, padding: Shape, dilation: Shape, groups: int
) -> Known:
    _check(x[1] == weight[1] * groups, x, weight)
    sizes = zip(x[2:], weight[2:], stride, padding, dilation, strict=True)
    return (
        x[0],
        weight[0],
        *((n + 2 * pad - apart * (kernel - 1) - 1) // step + 1 for n, kernel, step, pad, apart in sizes),
    )


def _matmul(a: Known, b: Known) -> Known:
    _check(a[-1] == b[-2], a, b)
    return (*np.broadcast_shapes(a[:-2], b[:-2]), a[-2], b[-1])


def _attention(query: Known, key: Known, value: Known, mask: Known | None, **_: Any) -> Known:
    _check(query[-1] == key[-1] and key[1] == value[1], query, key, value)
    return (*query[:2], value[-1])


def _reshape(x: Known, shape: Shape) -> Known:
    _check(math.prod(x) == math.prod(shape), x, tuple(shape))
    return tuple(shape)


def _concatenate(*xs: Known, dim: int) -> Known:
    _check(len({x[:dim] + x[dim + 1 :] for x in xs}) == 1, *xs)
    return (*xs[0][:dim], sum(x[dim] for x in xs), *xs[0][dim + 1 :])


def _slice(x: Known, dim: int, start: int, length: int, step: int) -> Known:
    return (*x[:dim], length, *x[dim + 1 :])


def _check(fits: bool, *shapes: Known) -> None:
    if not fits:
        raise RuntimeError(f"shapes {' and '.join(map(str, shapes))} do not fit")


_RULES: dict[str, Callable[..., Known]] = {
    **dict.fromkeys(("cast", "softmax", "gelu", "elu", "group_norm", "layer_norm"), _of_first),
    "mean": _reduced,
    "sum": _reduced,
    "linear": _linear,
    "conv2d": _conv2d,
    "matmul": _matmul,
    "attention": _attention,
    "reshape": _reshape,
    "permute": lambda x, dims: tuple(x[dim] for dim in dims),
    "expand": lambda x, shape: tuple(shape),
    "concatenate": _concatenate,
    "slice": _slice,
    "pad": lambda x, before, after: tuple(b + n + a for b, n, a in zip(before, x, after, strict=True)),
    "upsample": lambda x, scale: (*x[:2], scale * x[2], scale * x[3]),
    "embedding": lambda indices, weight: (*indices, weight[1]),
}
