"""Every operator of a graph in coremltools' intermediate language (MIL).

The functions take what `archlab.convert.graph.OPERATORS` take: variables of the program that is being built, numpy
arrays for constants, None for what is absent; then attributes by name.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from coremltools.converters.mil import Builder as mb
from coremltools.converters.mil.mil import types
from numpy.typing import NDArray

from archlab.convert.graph.operators import Shape

Var = Any  # coremltools' Var, which has no type for mypy, or a numpy array
Parameter = NDArray[Any] | None

_LOWEST_MASK = -3e4  # float16 ends at -65504, and a weight is 0 long before
_TYPES = {torch.float32: "fp32", torch.int32: "int32", torch.int64: "int32", torch.bool: "bool"}


def _gelu(x: Var, approximate: str) -> Var:
    return mb.gelu(x=x, mode="EXACT" if approximate == "none" else "TANH_APPROXIMATION")


def _binary(operator: Callable[..., Var], x: Var, y: Var) -> Var:
    """Whole numbers become floating ones beside such, and where they are divided."""
    if _is_whole(x) != _is_whole(y) or (operator is mb.real_div and _is_whole(x)):
        x, y = (_cast(value, torch.float32) if _is_whole(value) else value for value in (x, y))
    return operator(x=x, y=y)


def _is_whole(value: Var) -> bool:
    return bool(types.is_int(value.dtype) if not isinstance(value, np.ndarray) else value.dtype.kind == "i")


def _cast(x: Var, dtype: torch.dtype) -> Var:
    if isinstance(x, np.ndarray):
        return x.astype(torch.empty((), dtype=dtype).numpy().dtype)
    return mb.cast(x=x, dtype=_TYPES[dtype])


def _group_norm(x: Var, weight: Parameter, bias: Parameter, groups: int, eps: float) -> Var:
    channels = x.shape[1]
    grouped = mb.reshape(x=x, shape=(x.shape[0], groups, channels // groups, -1))
    centred = mb.sub(x=grouped, y=mb.reduce_mean(x=grouped, axes=(2, 3), keep_dims=True))
    variance = mb.reduce_mean(x=mb.mul(x=centred, y=centred), axes=(2, 3), keep_dims=True)
    normed = mb.mul(x=centred, y=mb.rsqrt(x=mb.add(x=variance, y=np.float32(eps))))
    return scaled_and_shifted(mb.reshape(x=normed, shape=x.shape), weight, bias)


def scaled_and_shifted(x: Var, weight: Parameter, bias: Parameter) -> Var:
    """Each channel of [B, C, …] times its weight plus its bias, even where those are 1 and 0."""
    if weight is None and bias is None:
        return x
    ones, epsilon = np.ones(x.shape[1], np.float32), np.float32(1e-5)
    return mb.batch_norm(
        x=x,
        mean=0 * ones,
        variance=ones - epsilon,  # a standard deviation of 1
        gamma=ones if weight is None else weight,
        beta=0 * ones if bias is None else bias,
        epsilon=epsilon,
    )


def _layer_norm(x: Var, weight: Parameter, bias: Parameter, eps: float) -> Var:
    return mb.layer_norm(x=x, axes=(x.rank - 1,), gamma=weight, beta=bias, epsilon=np.float32(eps))


def _linear(x: Var, weight: Parameter, bias: Parameter) -> Var:
    return mb.linear(x=x, weight=weight, bias=bias)


def _conv2d(
    x: Var, weight: Parameter, bias: Parameter, stride: Shape, padding: Shape, dilation: Shape, groups: int
) -> Var:
    return mb.conv(
        x=x,
        weight=weight,
        bias=bias,
        strides=tuple(stride),
        pad_type="custom",
        pad=tuple(side for amount in padding for side in (amount, amount)),
        dilations=tuple(dilation),
        groups=groups,
    )


def _attention(query: Var, key: Var, value: Var, mask: Parameter, heads: int, scale: float, normalizer: str) -> Var:
    query, key, value = (_heads_apart(x, heads) for x in (query, key, value))
    scores = mb.matmul(x=mb.mul(x=query, y=np.float32(scale)), y=key, transpose_y=True)
    weights = attention_weights(scores, mask, normalizer, 3)
    mixed = mb.transpose(x=mb.matmul(x=weights, y=value), perm=(0, 2, 1, 3))
    return mb.reshape(x=mixed, shape=(*mixed.shape[:2], -1))


def attention_weights(scores: Var, mask: Parameter, normalizer: str, axis: int) -> Var:
    """Softmax of the masked scores, or relu over their number, with the keys along ``axis``."""
    if mask is not None:
        scores = mb.add(x=scores, y=np.maximum(mask, np.float32(_LOWEST_MASK)))
    if normalizer == "softmax":
        return mb.softmax(x=scores, axis=axis)
    return mb.mul(x=mb.relu(x=scores), y=np.float32(1 / scores.shape[axis]))


def _heads_apart(x: Var, heads: int) -> Var:
    """[B, L, C] → [B, heads, L, C / heads]"""
    return mb.transpose(x=mb.reshape(x=x, shape=(*x.shape[:2], heads, -1)), perm=(0, 2, 1, 3))


def _expand(x: Var, shape: Shape) -> Var:
    return mb.tile(x=x, reps=tuple(wanted // own for wanted, own in zip(shape, x.shape, strict=True)))


def _concatenate(*xs: Var, dim: int) -> Var:
    return mb.concat(values=xs, axis=dim)


def _slice(x: Var, dim: int, start: int, length: int, step: int) -> Var:
    begin, end, stride = [0] * x.rank, list(x.shape), [1] * x.rank
    begin[dim], end[dim], stride[dim] = start, start + (length - 1) * step + 1, step
    return mb.slice_by_index(x=x, begin=begin, end=end, stride=stride)


def _pad(x: Var, before: Shape, after: Shape) -> Var:
    pad = [amount for pair in zip(before, after, strict=True) for amount in pair]
    return mb.pad(x=x, pad=pad, mode="constant", constant_val=np.float32(0))


def split(x: Var, sizes: Sequence[int], axis: int) -> Sequence[Var]:
    """Pieces of these sizes along the axis, which they fill."""
    return [x] if len(sizes) == 1 else mb.split(x=x, split_sizes=tuple(sizes), axis=axis)


_UNARY: dict[str, Callable[..., Var]] = {
    **{name: getattr(mb, name) for name in ("abs", "exp", "log", "sqrt", "rsqrt", "square", "floor", "sin", "cos")},
    **{name: getattr(mb, name) for name in ("tanh", "sigmoid", "relu", "silu")},
}
_BINARY: dict[str, Callable[..., Var]] = {
    "add": mb.add,
    "subtract": mb.sub,
    "multiply": mb.mul,
    "divide": mb.real_div,
    "maximum": mb.maximum,
    "minimum": mb.minimum,
}


def _unary(operator: Callable[..., Var]) -> Callable[..., Var]:
    return lambda x: operator(x=x)


ELEMENTWISE: dict[str, Callable[..., Var]] = {
    **{name: _unary(operator) for name, operator in _UNARY.items()},
    **{name: partial(_binary, operator) for name, operator in _BINARY.items()},
    "negate": lambda x: mb.mul(x=x, y=np.float32(-1)),
    "gelu": _gelu,
    "hardswish": lambda x: mb.mul(x=x, y=mb.sigmoid_hard(x=x, alpha=1 / 6, beta=0.5)),
    "mish": lambda x: mb.mul(x=x, y=mb.tanh(x=mb.softplus(x=x))),
    "elu": lambda x: mb.elu(x=x, alpha=1.0),
    "cast": _cast,
}
FORMS: dict[str, Callable[..., Var]] = {
    **ELEMENTWISE,
    "mean": lambda x, dims: mb.reduce_mean(x=x, axes=tuple(dims), keep_dims=True),
    "sum": lambda x, dims: mb.reduce_sum(x=x, axes=tuple(dims), keep_dims=True),
    "softmax": lambda x, dim: mb.softmax(x=x, axis=dim),
    "group_norm": _group_norm,
    "layer_norm": _layer_norm,
    "linear": _linear,
    "conv2d": _conv2d,
    "matmul": lambda a, b: mb.matmul(x=a, y=b),
    "attention": _attention,
    "reshape": lambda x, shape: mb.reshape(x=x, shape=tuple(shape)),
    "permute": lambda x, dims: mb.transpose(x=x, perm=tuple(dims)),
    "expand": _expand,
    "concatenate": _concatenate,
    "slice": _slice,
    "pad": _pad,
    "upsample": lambda x, scale: mb.upsample_nearest_neighbor(x=x, scale_factor_height=scale, scale_factor_width=scale),
    "embedding": lambda indices, weight: mb.gather(x=weight, indices=indices, axis=0),
}
