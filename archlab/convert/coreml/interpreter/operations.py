"""What each operator of a Core ML program does, by torch, as coremltools documents it."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

OPERATIONS: dict[str, Callable[..., Any]] = {}
DTYPES = {
    "float32": torch.float32,
    "int32": torch.int32,
    "int16": torch.int16,
    "uint16": torch.int32,  # torch has few operations of unsigned numbers
    "bool": torch.bool,
}


def operation(function: Callable[..., Any]) -> Callable[..., Any]:
    """Register what the MIL operator of this name does; a trailing underscore is left out."""
    OPERATIONS[function.__name__.rstrip("_")] = function
    return function


def _tensor(value: Any, like: Tensor) -> Tensor:
    return value if isinstance(value, Tensor) else torch.tensor(value, dtype=like.dtype)


def _binary(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def apply(x: Any, y: Any) -> Tensor:
        like = x if isinstance(x, Tensor) else y
        return function(_tensor(x, like), _tensor(y, like))

    return apply


OPERATIONS |= {
    **{name: getattr(torch, name) for name in ("abs", "exp", "sqrt", "square", "floor", "sin", "cos")},
    **{name: getattr(torch, name) for name in ("tanh", "sigmoid", "relu")},
    "add": _binary(torch.add),
    "sub": _binary(torch.sub),
    "mul": _binary(torch.mul),
    "real_div": _binary(torch.div),
    "maximum": _binary(torch.maximum),
    "minimum": _binary(torch.minimum),
    "greater_equal": _binary(torch.ge),
}


@operation
def log(x: Tensor, epsilon: float) -> Tensor:
    return torch.log(x + epsilon)


@operation
def rsqrt(x: Tensor, epsilon: float) -> Tensor:
    return torch.rsqrt(x + epsilon)


@operation
def silu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(x)


@operation
def gelu(x: Tensor, mode: str) -> Tensor:
    return F.gelu(x, approximate={"EXACT": "none", "TANH_APPROXIMATION": "tanh"}[mode])


@operation
def sigmoid_hard(x: Tensor, alpha: float, beta: float) -> Tensor:
    return torch.clamp(alpha * x + beta, 0, 1)


@operation
def softplus(x: Tensor) -> Tensor:
    return torch.logaddexp(x, torch.zeros_like(x))


@operation
def elu(x: Tensor, alpha: float) -> Tensor:
    return torch.where(x >= 0, x, alpha * torch.expm1(x))


@operation
def cast(x: Tensor, dtype: str) -> Tensor:
    return x.to(DTYPES["float32" if dtype in ("fp16", "fp32") else dtype])  # whoever asks rounds to float16


@operation
def select(cond: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.where(cond, a, b)


@operation
def identity(x: Tensor) -> Tensor:
    return x


@operation
def reduce_mean(x: Tensor, axes: list[int], keep_dims: bool) -> Tensor:
    return x.mean(axes, keepdim=keep_dims)


@operation
def reduce_sum(x: Tensor, axes: list[int], keep_dims: bool) -> Tensor:
    return x.sum(axes, keepdim=keep_dims)


@operation
def softmax(x: Tensor, axis: int) -> Tensor:
    return x.softmax(axis)


@operation
def layer_norm(
    x: Tensor, axes: list[int], epsilon: float, gamma: Tensor | None = None, beta: Tensor | None = None
) -> Tensor:
    (axis,) = axes
    moved = x.movedim(axis, -1)
    return F.layer_norm(moved, moved.shape[-1:], gamma, beta, epsilon).movedim(-1, axis)


@operation
def batch_norm(x: Tensor, mean: Tensor, variance: Tensor, gamma: Tensor, beta: Tensor, epsilon: float) -> Tensor:
    return F.batch_norm(x, mean, variance, gamma, beta, eps=epsilon)


@operation
def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return F.linear(x, weight, bias)


@operation
def conv(
    x: Tensor,
    weight: Tensor,
    strides: list[int],
    pad_type: str,
    pad: list[int],
    dilations: list[int],
    groups: int,
    bias: Tensor | None = None,
) -> Tensor:
    assert pad_type in ("custom", "valid")
    if pad_type == "custom":
        x = F.pad(x, [pad[2], pad[3], pad[0], pad[1]])
    return F.conv2d(x, weight, bias, strides, 0, dilations, groups)


@operation
def matmul(x: Tensor, y: Tensor, transpose_x: bool, transpose_y: bool) -> Tensor:
    return (x.mT if transpose_x else x) @ (y.mT if transpose_y else y)


@operation
def einsum(values: list[Tensor], equation: str) -> Tensor:
    return torch.einsum(equation, *values)


@operation
def reshape(x: Tensor, shape: list[int]) -> Tensor:
    return x.reshape(shape)


@operation
def transpose(x: Tensor, perm: list[int]) -> Tensor:
    return x.permute(perm)


@operation
def squeeze(x: Tensor, axes: list[int]) -> Tensor:
    return x.squeeze(axes)


@operation
def expand_dims(x: Tensor, axes: list[int]) -> Tensor:
    for axis in sorted(axes):
        x = x.unsqueeze(axis)
    return x


@operation
def tile(x: Tensor, reps: list[int]) -> Tensor:
    return x.tile(reps)


@operation
def concat(values: list[Tensor], axis: int, interleave: bool) -> Tensor:
    assert not interleave
    return torch.cat(values, axis)


@operation
def split(x: Tensor, split_sizes: list[int], axis: int) -> tuple[Tensor, ...]:
    return torch.split(x, split_sizes, axis)


@operation
def slice_by_index(x: Tensor, begin: list[int], end: list[int], stride: list[int], **masks: list[bool]) -> Tensor:
    assert not any(any(mask) for mask in masks.values())
    return x[tuple(map(slice, begin, end, stride))]


@operation
def pad_(x: Tensor, pad: list[int], mode: str, constant_val: float) -> Tensor:
    assert mode == "constant"
    pairs = [pad[index : index + 2] for index in range(0, len(pad), 2)]
    return F.pad(x, [amount for pair in reversed(pairs) for amount in pair], value=constant_val)


@operation
def upsample_nearest_neighbor(x: Tensor, scale_factor_height: float, scale_factor_width: float) -> Tensor:
    return F.interpolate(x, scale_factor=(float(scale_factor_height), float(scale_factor_width)), mode="nearest")


@operation
def gather(x: Tensor, indices: Tensor, axis: int, batch_dims: int, validate_indices: bool) -> Tensor:
    assert (axis, batch_dims) == (0, 0)
    return x[indices.long()]
