"""torch's functions in terms of the operators of a graph.

Each is called as torch's own is, with a symbol among its arguments, and either records operators or calls other torch
functions. Registered by importing this module.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from archlab.convert.graph.symbol import Symbol, call, record, symbol

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
    return torch.zeros(_listed(shape) or tuple(input.shape), dtype=dtype or input.dtype)


@call("ones_like", "new_ones")
def _ones(input: Tensor, *shape: Any, dtype: torch.dtype | None = None, **_: Any) -> Tensor:
    return torch.ones(_listed(shape) or tuple(input.shape), dtype=dtype or input.dtype)


def _register_reduction(operator: str) -> None:
    @call(operator)
    def apply(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: torch.dtype | None = None) -> Tensor:
        dims = range(input.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
        reduced = sorted(_dims(input, dims))
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


# Order and shape. A reshape of a reshape is one, as is a permutation of a permutation.


@call("reshape", "view", "view_as", "reshape_as")
def _reshape(input: Tensor, *shape: Any) -> Any:
    first = shape[0]
    if isinstance(first, torch.dtype):
        return NotImplemented
    listed = tuple(first.shape) if isinstance(first, Tensor) else _listed(shape)
    known = -math.prod(listed)
    wanted = tuple(input.numel() // known if n == -1 else n for n in listed) if -1 in listed else listed
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
    dropped = {d for d in _dims(input, dims) if input.shape[d] == 1}
    return input.reshape([n for i, n in enumerate(input.shape) if i not in dropped])


@call("unsqueeze")
def _unsqueeze(input: Tensor, dim: int) -> Tensor:
    at = dim % (input.ndim + 1)
    return input.reshape(*input.shape[:at], 1, *input.shape[at:])


@call("permute")
def _permute(input: Tensor, *dims: Any) -> Tensor:
    order = _dims(input, _listed(dims))
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
    listed = tuple(shape[0].shape) if isinstance(shape[0], Tensor) else _listed(shape)
    aligned = (1,) * (len(listed) - input.ndim) + tuple(input.shape)
    wanted = tuple(own if n == -1 else n for n, own in zip(listed, aligned, strict=True))
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


def _dims(input: Tensor, dims: Any) -> tuple[int, ...]:
    return tuple(dim % input.ndim for dim in dims)


def _listed(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """Sizes given one by one, or as one sequence."""
    return tuple(sizes[0]) if len(sizes) == 1 and not isinstance(sizes[0], int) else tuple(sizes)


def _pair(size: Any) -> tuple[Any, Any]:
    return tuple(size) if isinstance(size, Sequence) else (size, size)
