"""torch's arithmetic, norms and products in terms of the operators of a graph."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from archlab.convert.graph.calls.movement import dims_of, listed
from archlab.convert.graph.symbol import Symbol, call, record

_UNARY = {
    "neg": "negate",
    **{name: name for name in ("abs", "exp", "log", "sqrt", "rsqrt", "square", "floor", "sin", "cos", "tanh")},
    **{name: name for name in ("sigmoid", "relu", "silu", "hardswish", "mish")},
}
_BINARY = {
    **dict.fromkeys(("add", "radd"), "add"),
    **dict.fromkeys(("mul", "multiply", "rmul"), "multiply"),
    **dict.fromkeys(("div", "divide", "truediv", "true_divide"), "divide"),
    **dict.fromkeys(("sub", "subtract"), "subtract"),
    "maximum": "maximum",
    "minimum": "minimum",
}


def _register_unary(name: str, operator: str) -> None:
    @call(name)
    def apply(input: Tensor, inplace: bool = False) -> Tensor:
        return record(operator, input)


def _register_binary(name: str, operator: str) -> None:
    @call(name)
    def apply(input: Any, other: Any, *, alpha: float = 1, rounding_mode: str | None = None) -> Any:
        if rounding_mode is not None:
            return NotImplemented
        return record(operator, input, other if alpha == 1 else other * alpha)


for _torch_name, _operator in _UNARY.items():
    _register_unary(_torch_name, _operator)
for _torch_name, _operator in _BINARY.items():
    _register_binary(_torch_name, _operator)


@call("rsub")
def _rsub(input: Any, other: Any) -> Tensor:
    return record("subtract", other, input)


@call("rtruediv", "rdiv")
def _rtruediv(input: Any, other: Any) -> Tensor:
    return record("divide", other, input)


@call("reciprocal")
def _reciprocal(input: Tensor) -> Tensor:
    return record("divide", 1.0, input)


@call("pow")
def _pow(input: Any, exponent: Any) -> Any:
    powers = {1: lambda x: x, 2: torch.square, 0.5: torch.sqrt, -0.5: torch.rsqrt, -1: torch.reciprocal}
    if isinstance(exponent, Tensor) or exponent not in powers:
        return NotImplemented
    return powers[exponent](input)


@call("clamp", "clip")
def _clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    bounded = input if min is None else record("maximum", input, min)
    return bounded if max is None else record("minimum", bounded, max)


@call("avg_pool2d")
def _avg_pool2d(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, *further: Any) -> Any:
    """A convolution of each channel with equal weights."""
    if not isinstance(kernel_size, int) or stride not in (None, kernel_size) or padding or further:
        return NotImplemented
    channels = input.shape[1]
    weight = torch.full((channels, 1, kernel_size, kernel_size), 1 / kernel_size**2)
    return torch.nn.functional.conv2d(input, weight, stride=kernel_size, groups=channels)


@call("gelu")
def _gelu(input: Tensor, approximate: str = "none") -> Tensor:
    return record("gelu", input, approximate=approximate)


@call("elu")
def _elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Any:
    return record("elu", input) if alpha == 1 else NotImplemented


@call("dropout")
def _dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    return NotImplemented if training and p else input


@call("to", "type", "float", "type_as", "contiguous", "clone", "detach", "cpu", "requires_grad_", ".data")
def _to(input: Tensor, *where: Any, dtype: torch.dtype | None = None, **_: Any) -> Any:
    """Another type; everything is computed in float32, so of floating types there is one."""
    named = [word if isinstance(word, torch.dtype) else word.dtype for word in where if _has_dtype(word)]
    wanted = dtype or next(iter(named), input.dtype)
    if not isinstance(input, Symbol):
        return input.to(wanted)
    if wanted == input.dtype or (wanted.is_floating_point and input.dtype.is_floating_point):
        return input
    return record("cast", input, dtype=torch.float32 if wanted.is_floating_point else wanted)


def _has_dtype(word: Any) -> bool:
    return isinstance(word, torch.dtype | Tensor)


@call("long", "int")
def _int(input: Tensor) -> Tensor:
    return record("cast", input, dtype=torch.int32) if input.dtype.is_floating_point else input


@call("zeros_like", "new_zeros")
def _zeros(input: Tensor, *shape: Any, dtype: torch.dtype | None = None, **_: Any) -> Tensor:
    return torch.zeros(listed(shape) or tuple(input.shape), dtype=dtype or input.dtype)


@call("ones_like", "new_ones")
def _ones(input: Tensor, *shape: Any, dtype: torch.dtype | None = None, **_: Any) -> Tensor:
    return torch.ones(listed(shape) or tuple(input.shape), dtype=dtype or input.dtype)


def _register_reduction(operator: str) -> None:
    @call(operator)
    def apply(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: torch.dtype | None = None) -> Tensor:
        dims = range(input.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
        reduced = sorted(dims_of(input, dims))
        kept = record(operator, input, dims=tuple(reduced))
        return kept if keepdim else kept.reshape([n for i, n in enumerate(input.shape) if i not in reduced])


for _operator in ("mean", "sum"):
    _register_reduction(_operator)


@call("softmax")
def _softmax(input: Tensor, dim: int = -1, _stacklevel: int = 3, dtype: torch.dtype | None = None) -> Tensor:
    return record("softmax", input, dim=dim % input.ndim)


@call("group_norm")
def _group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    return record("group_norm", input, weight, bias, groups=num_groups, eps=eps)


@call("layer_norm")
def _layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Any:
    return record("layer_norm", input, weight, bias, eps=eps) if len(normalized_shape) == 1 else NotImplemented


@call("linear")
def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    return NotImplemented if isinstance(weight, Symbol) else record("linear", input, weight, bias)


@call("conv2d")
def _conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    if isinstance(weight, Symbol) or input.ndim != 4 or isinstance(padding, str):
        return NotImplemented
    sizes = {"stride": _pair(stride), "padding": _pair(padding), "dilation": _pair(dilation)}
    return record("conv2d", input, weight, bias, groups=groups, **sizes)


@call("matmul", "bmm", "rmatmul")
def _matmul(input: Tensor, other: Tensor) -> Any:
    return NotImplemented if min(input.ndim, other.ndim) < 2 else record("matmul", input, other)


@call("baddbmm")
def _baddbmm(input: Any, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    product = torch.matmul(batch1 if alpha == 1 else batch1 * alpha, batch2)
    return product if beta == 0 else product + (input if beta == 1 else input * beta)


@call("scaled_dot_product_attention")
def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """[B, H, L, d], [B, H, M, d], [B, H, M, d'] → [B, H, L, d']"""
    if query.ndim != 4 or query.shape[1] != key.shape[1] or dropout_p or isinstance(attn_mask, Symbol):
        return NotImplemented
    mask = torch.ones(query.shape[2], key.shape[2]).tril().bool() if is_causal else attn_mask
    if mask is not None:
        if mask.dtype == torch.bool:
            mask = torch.zeros(mask.shape).masked_fill(~mask, -1e9)
        mask = mask.expand(*(1,) * (4 - mask.ndim), *mask.shape)
    tokens = (x.transpose(1, 2).flatten(2) for x in (query, key, value))
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    heads = query.shape[1]
    mixed = record("attention", *tokens, mask, heads=heads, scale=scale, normalizer="softmax")
    return mixed.reshape(*mixed.shape[:2], heads, -1).transpose(1, 2)


@call("attend")
def _attend(
    query: Tensor, key: Tensor, value: Tensor, heads: int, normalizer: str, training: bool, processor: None = None
) -> Tensor:
    """`archlab.unet.attention.attend`: [B, L, C], [B, M, C], [B, M, C] → [B, L, C]"""
    scale = (query.shape[-1] // heads) ** -0.5
    return record("attention", query, key, value, None, heads=heads, scale=scale, normalizer=normalizer)


@call("embedding")
def _embedding(input: Tensor, weight: Tensor, *_: Any, **__: Any) -> Tensor:
    return record("embedding", input, weight)


@call("interpolate")
def _interpolate(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest", *_: Any, **__: Any
) -> Any:
    if input.ndim != 4 or mode not in ("nearest", "nearest-exact"):
        return NotImplemented
    height, width = input.shape[2:]
    scales = (1, 1) if scale_factor is None else _pair(scale_factor)
    wanted = (int(height * scales[0]), int(width * scales[1])) if size is None else _pair(size)
    scale, rest = divmod(wanted[0], height)
    if rest or scale < 1 or wanted[1] != scale * width:
        return NotImplemented
    return input if scale == 1 else record("upsample", input, scale=scale)


@call("pad")
def _pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Any:
    if mode != "constant" or value or min(pad) < 0:
        return NotImplemented
    missing = input.ndim - len(pad) // 2
    before = (0,) * missing + tuple(reversed(pad[0::2]))
    after = (0,) * missing + tuple(reversed(pad[1::2]))
    return record("pad", input, before=before, after=after)


def _pair(size: Any) -> tuple[Any, Any]:
    return tuple(size) if isinstance(size, Sequence) else (size, size)
