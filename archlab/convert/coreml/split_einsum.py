"""Tokens for the Neural Engine, after Apple's "Deploying Transformers on the Apple Neural Engine" (2022).

Tokens lie as [B, C, 1, L]; their linear layers are 1×1 convolutions; every head has matrix products of its own. The
second version (``split_einsum_v2`` of apple/ml-stable-diffusion) also takes the queries in chunks.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from coremltools.converters.mil import Builder as mb
from numpy.typing import NDArray

from archlab.convert.coreml.operators import (
    ELEMENTWISE,
    FORMS,
    Parameter,
    Var,
    attention_weights,
    scaled_and_shifted,
    split,
)
from archlab.convert.coreml.variables import (
    CHANNELS_TO_END,
    CHANNELS_TO_FRONT,
    RANKS,
    Variables,
    channels_first_axis,
    channels_first_shape,
)
from archlab.convert.graph import Constant, Operation, Value
from archlab.convert.graph.operators import Shape

QUERY_CHUNK = 512


def put_channels_first(value: Value, operation: Operation, variables: Variables, query_chunk: int | None) -> bool:
    """Write the operation that makes the value, if it is one of tokens.

    Args:
        query_chunk: how many queries an attention takes at a time; None for all.

    Returns:
        False where nothing was written.
    """
    form = _SPLIT_FORMS.get(operation.operator)
    if form is None:
        return False
    more = {"query_chunk": query_chunk} if operation.operator == "attention" else {}
    return form(variables, value, *operation.inputs, **operation.attributes, **more)


def _linear(variables: Variables, value: Value, x: Value, weight: Value, bias: Value | None) -> bool:
    """[B, in, 1, L] → [B, out, 1, L]"""
    if value.rank not in RANKS:
        return False
    kernel = variables.own(weight)[:, :, None, None]
    variables.put_channels_first(value, mb.conv(x=variables.channels_first(x), weight=kernel, bias=variables.own(bias)))
    return True


def _layer_norm(
    variables: Variables, value: Value, x: Value, weight: Value | None, bias: Value | None, eps: float
) -> bool:
    """[B, C, 1, L] → [B, C, 1, L]"""
    if value.rank not in RANKS:
        return False
    normed = mb.layer_norm(x=variables.channels_first(x), axes=(1,), epsilon=np.float32(eps))
    variables.put_channels_first(value, scaled_and_shifted(normed, variables.own(weight), variables.own(bias)))
    return True


def _permute(variables: Variables, value: Value, x: Value, dims: Shape) -> bool:
    """Channels go to the front or come from it, which moves nothing where they are there anyway."""
    if variables.is_channels_first(x) and dims == CHANNELS_TO_FRONT[x.rank]:
        variables.put(value, mb.reshape(x=variables.channels_first(x), shape=value.shape))
    elif not variables.is_channels_first(x) and dims == CHANNELS_TO_END.get(x.rank):
        own = variables.own(x)
        variables.put(value, mb.transpose(x=own, perm=dims))  # coremltools drops that of the two which is not used
        variables.put_channels_first(value, mb.reshape(x=own, shape=channels_first_shape(value)))
    else:
        return False
    return True


def _reshape(variables: Variables, value: Value, x: Value, shape: Shape) -> bool:
    """Rows and columns become positions, or positions rows and columns."""
    ends = (x.shape[0], x.shape[-1])
    if not variables.is_channels_first(x) or value.rank not in RANKS or (value.shape[0], value.shape[-1]) != ends:
        return False
    made = mb.reshape(x=variables.channels_first(x), shape=channels_first_shape(value))
    variables.put_channels_first(value, made)
    return True


def _in_any_layout(operator: str, variables: Variables, value: Value, *inputs: Value, **attributes: Any) -> bool:
    """Where one of the inputs has channels first, and the others can have them there."""
    have_rank = all(x.rank == value.rank or isinstance(x, Constant) for x in inputs)
    if not have_rank or not any(variables.is_channels_first(x) for x in inputs):
        return False
    if "dim" in attributes:
        attributes["dim"] = channels_first_axis(value, attributes["dim"])
    if "dims" in attributes:
        attributes["dims"] = [channels_first_axis(value, dim) for dim in attributes["dims"]]
    aligned = (_aligned(variables, x, value.rank) for x in inputs)
    variables.put_channels_first(value, FORMS[operator](*aligned, **attributes))
    return True


def _aligned(variables: Variables, x: Value, rank: int) -> Var:
    """With channels first, beside values of this rank; a number stays one."""
    if isinstance(x, Constant) and 0 < x.rank < rank:
        tensor = x.tensor.reshape((1,) * (rank - x.rank) + x.shape)
        x = replace(x, shape=tuple(tensor.shape), tensor=tensor)
    return variables.channels_first(x) if x.rank else variables.own(x)


def _attention(
    variables: Variables,
    attended: Value,
    query: Value,
    key: Value,
    value: Value,
    mask: Value | None,
    heads: int,
    scale: float,
    normalizer: str,
    query_chunk: int | None,
) -> bool:
    """Every head by itself, the keys along dimension 1: → [B, C', 1, L]"""
    scaled = mb.mul(x=variables.channels_first(query), y=np.float32(scale))
    queries = split(scaled, _equal(query.shape[2], heads), 1)
    keys = split(mb.transpose(x=variables.channels_first(key), perm=(0, 3, 2, 1)), _equal(key.shape[2], heads), 3)
    values = split(variables.channels_first(value), _equal(value.shape[2], heads), 1)
    masks = [None] * heads if mask is None else _masks(variables.own(mask), heads, query.shape[1])
    apart = zip(queries, keys, values, masks, strict=True)
    chunk = query_chunk or query.shape[1]
    variables.put_channels_first(attended, _joined([_head(*head, normalizer, chunk) for head in apart], 1))
    return True


def _head(query: Var, key: Var, value: Var, mask: Parameter, normalizer: str, chunk: int) -> Var:
    """query: [B, d, 1, L]; key: [B, M, 1, d]; value: [B, d', 1, M]; mask: [B, M, 1, L] → [B, d', 1, L]"""
    length = query.shape[3]
    starts = range(0, length, chunk)
    mixed = []
    for start, part in zip(starts, split(query, [min(chunk, length - start) for start in starts], 3), strict=True):
        scores = mb.einsum(values=(key, part), equation="bkhc,bchq->bkhq")
        part_mask = None if mask is None else mask[..., start : start + chunk]
        weights = attention_weights(scores, part_mask, normalizer, axis=1)
        mixed.append(mb.einsum(values=(value, weights), equation="bchk,bkhq->bchq"))
    return _joined(mixed, 3)


def _masks(mask: NDArray[np.float32], heads: int, length: int) -> list[NDArray[np.float32]]:
    """Each head's, in the scores' layout: [B or 1, heads or 1, L or 1, M] → [B or 1, M, 1, L]"""
    whole = np.broadcast_to(mask, (mask.shape[0], heads, length, mask.shape[3]))
    return np.split(whole.transpose(0, 3, 1, 2), heads, axis=2)


def _equal(whole: int, parts: int) -> list[int]:
    return [whole // parts] * parts


def _joined(parts: list[Var], axis: int) -> Var:
    return parts[0] if len(parts) == 1 else mb.concat(values=parts, axis=axis)


_ANY_LAYOUT = (*ELEMENTWISE, "concatenate", "slice", "softmax", "mean", "sum")
_SPLIT_FORMS: dict[str, Callable[..., bool]] = {
    "linear": _linear,
    "layer_norm": _layer_norm,
    "attention": _attention,
    "permute": _permute,
    "reshape": _reshape,
    **{name: partial(_in_any_layout, name) for name in _ANY_LAYOUT},
}
