"""The operators of a graph, each with its meaning as a function of torch.

Whatever writes a graph for a runtime has a form for each of them. Their arguments are tensors (None where an optional
one is absent), then attributes by name; dimensions count from the front.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

Shape = Sequence[int]


def _reshape(x: Tensor, shape: Shape) -> Tensor:
    return x.reshape(tuple(shape))


def _slice(x: Tensor, dim: int, start: int, length: int, step: int) -> Tensor:
    """``length`` elements along ``dim``, every ``step``-th from ``start`` on."""
    return x[(slice(None),) * dim + (slice(start, start + (length - 1) * step + 1, step),)]


def _pad(x: Tensor, before: Shape, after: Shape) -> Tensor:
    """Zeros around, so many before and after along each dimension."""
    pairs = zip(reversed(before), reversed(after), strict=True)
    return F.pad(x, [amount for pair in pairs for amount in pair])


def _conv2d(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: Shape, padding: Shape, dilation: Shape, groups: int
) -> Tensor:
    """x: [B, C, H, W]; weight: [out, C / groups, h, w]; ``padding`` on both sides of each dimension."""
    return F.conv2d(x, weight, bias, tuple(stride), tuple(padding), tuple(dilation), groups)


def _attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, heads: int, scale: float, normalizer: str
) -> Tensor:
    """Multi-head attention of tokens: [B, L, C], [B, M, C], [B, M, C'] → [B, L, C'].

    normalizer: ``softmax``; or ``relu``, which divides by M. The mask is added to the scores: broadcast to
    [B, heads, L, M].
    """
    query, key, value = (x.reshape(*x.shape[:2], heads, -1).transpose(1, 2) for x in (query, key, value))
    scores = (query * scale) @ key.transpose(-1, -2)
    if mask is not None:
        scores = scores + mask
    weights = scores.softmax(-1) if normalizer == "softmax" else F.relu(scores) / key.shape[-2]
    return (weights @ value).transpose(1, 2).flatten(2)


def _concatenate(*xs: Tensor, dim: int) -> Tensor:
    return torch.cat(xs, dim)


def _group_norm(x: Tensor, weight: Tensor | None, bias: Tensor | None, groups: int, eps: float) -> Tensor:
    """x: [B, C, …]; statistics over each of ``groups`` groups of channels and all positions."""
    return F.group_norm(x, groups, weight, bias, eps)


def _layer_norm(x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Statistics over the last dimension."""
    return F.layer_norm(x, x.shape[-1:], weight, bias, eps)


def _upsample(x: Tensor, scale: int) -> Tensor:
    """Nearest neighbour: [B, C, H, W] → [B, C, scale·H, scale·W]"""
    return F.interpolate(x, scale_factor=scale, mode="nearest")


def _embedding(indices: Tensor, weight: Tensor) -> Tensor:
    """Rows of the weight: [B, L] → [B, L, C]"""
    return F.embedding(indices, weight)


OPERATORS: dict[str, Callable[..., Tensor]] = {
    # of one tensor, element by element
    "negate": torch.neg,
    "abs": torch.abs,
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "square": torch.square,
    "floor": torch.floor,
    "sin": torch.sin,
    "cos": torch.cos,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "gelu": F.gelu,
    "silu": F.silu,
    "hardswish": F.hardswish,
    "mish": F.mish,
    "elu": F.elu,
    "cast": lambda x, dtype: x.to(dtype),
    # of two, one of which is broadcast to the other
    "add": torch.add,
    "subtract": torch.subtract,
    "multiply": torch.multiply,
    "divide": torch.divide,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    # along dimensions
    "mean": lambda x, dims: x.mean(tuple(dims), keepdim=True),
    "sum": lambda x, dims: x.sum(tuple(dims), keepdim=True),
    "softmax": lambda x, dim: x.softmax(dim),
    "group_norm": _group_norm,
    "layer_norm": _layer_norm,
    # products
    "linear": F.linear,
    "conv2d": _conv2d,
    "matmul": torch.matmul,
    "attention": _attention,
    # order and shape
    "reshape": _reshape,
    "permute": lambda x, dims: x.permute(tuple(dims)),
    "expand": lambda x, shape: x.expand(tuple(shape)),
    "concatenate": _concatenate,
    "slice": _slice,
    "pad": _pad,
    "upsample": _upsample,
    "embedding": _embedding,
}
