"""Fewer projections for keys and values that start where more were: one for both (W_K = W_V), or one for some heads.

The W that minimises E‖W x − W_K x‖² + E‖W x − W_V x‖² is the mean of W_K and W_V whatever x is. The ways beside the
mean let each head do what the mean cannot: read its keys and values from one vector s by linear maps, k ≈ A s and
v ≈ B s, which the query and the last projection take in: q·k ≈ (Aᵀq)·s and W_O v ≈ (W_O B) s. A constant in k changes
no softmax and one in v is a constant in the output, so with softmax both are left out of the fit. Heads that share
their keys, or their values, read them from one vector for all of them in the same way.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from archlab.unet.inheritance.layers import Approximation
from archlab.unet.inheritance.methods import Sharing

Side = Literal["key", "value"]
BOTH: tuple[Side, ...] = ("key", "value")
_RIDGE = 1e-6


@dataclass(frozen=True)
class Heads:
    """An attention's projections, head by head.

    Attributes:
        query, key, value: [heads, d, inputs]; heads that share keys and values have equal ones.
        out: [heads, d, outputs].
        out_bias: [outputs].
        softmax: whether attention weights add up to one.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    out: Tensor
    out_bias: Tensor
    softmax: bool

    def __call__(self, x: Tensor, context: Tensor) -> Tensor:
        """The attention's output: [B, L, C]."""
        query, key, value = (
            torch.einsum("bli,hdi->bhld", inputs, projection)
            for inputs, projection in ((x, self.query), (context, self.key), (context, self.value))
        )
        scores = query @ key.mT * query.shape[-1] ** -0.5
        mixing = scores.softmax(-1) if self.softmax else scores.relu() / key.shape[-2]
        return torch.einsum("bhld,hdo->blo", mixing @ value, self.out) + self.out_bias


def mean(heads: Heads, x: Tensor, context: Tensor) -> Heads:
    """The mean of both projections."""
    shared = (heads.key + heads.value) / 2
    return replace(heads, key=shared, value=shared)


def keep_value(heads: Heads, x: Tensor, context: Tensor) -> Heads:
    """W_V but for the scale of its rows; the query reads the keys from the values."""
    return _read_from(heads.value, heads, context)


def keep_key(heads: Heads, x: Tensor, context: Tensor) -> Heads:
    """W_K but for the scale of its rows; the last projection reads the values from the keys."""
    return _read_from(heads.key, heads, context)


def joint(heads: Heads, x: Tensor, context: Tensor) -> Heads:
    """The d directions that tell most of keys and values together: principal components of both, keys measured by
    what they do to the scores and values by what they do to the output."""
    return _read_from(_principal(heads, x, context), heads, context)


SHARINGS: dict[Sharing, Callable[[Heads, Tensor, Tensor], Heads]] = {
    "mean": mean,
    "keep value": keep_value,
    "keep key": keep_key,
    "joint": joint,
}


def share(heads: Heads, x: Tensor, context: Tensor, sharing: Sharing | None = None) -> tuple[Heads, Approximation]:
    """The projections (key and value equal) whose output on these inputs is nearest to the original's, by any way of
    `SHARINGS` or the one asked for; the error is relative to the output's norm."""
    wanted = heads(x, context)
    ways = {name: way(heads, x, context) for name, way in SHARINGS.items() if sharing in (None, name)}
    errors = {name: ((way(x, context) - wanted).norm() / wanted.norm()).item() for name, way in ways.items()}
    best = min(ways, key=errors.__getitem__)
    return ways[best], Approximation(best, errors[best])


def pool(heads: Heads, groups: int, x: Tensor, context: Tensor, *, turned: bool) -> tuple[Heads, Approximation]:
    """The same number of heads, equal keys and equal values within each of ``groups`` (key and value equal where they
    were): the mean (arXiv 2305.13245, section 2.1), or what principal components of all of them tell, whichever is
    nearer to the original's output on these inputs.

    Args:
        turned: queries and keys are turned by their positions, so that a query cannot take in a map of the keys.
    """
    size, wanted = len(heads.query) // groups, heads(x, context)
    ways = {"mean of heads": _mean_of_heads(heads, size)}
    if heads.key is heads.value:
        if not turned:
            ways["principal"] = _read_from(_principal(heads, x, context, size), heads, context, size)
    else:
        of_values = _principal(heads, x, context, size, ("value",))
        pooled = _read_from(of_values, _mean_of_heads(heads, size, ("key",)), context, size, ("value",))
        ways["mean of keys, principal values"] = pooled
        if not turned:
            of_keys = _principal(heads, x, context, size, ("key",))
            pooled = _read_from(of_values, heads, context, size, ("value",))
            ways["principal"] = _read_from(of_keys, pooled, context, size, ("key",))
    errors = {name: ((way(x, context) - wanted).norm() / wanted.norm()).item() for name, way in ways.items()}
    best = min(ways, key=errors.__getitem__)
    return ways[best], Approximation(best, errors[best])


def _mean_of_heads(heads: Heads, group: int, sides: tuple[Side, ...] = BOTH) -> Heads:
    key = _mean_within(heads.key, group) if "key" in sides else heads.key
    if heads.key is heads.value:
        return replace(heads, key=key, value=key)
    return replace(heads, key=key, value=_mean_within(heads.value, group) if "value" in sides else heads.value)


def grouped(of_heads: Tensor, group: int) -> Tensor:
    """Each ``group`` heads in a row together: [heads, …] → [heads / group, group, …]"""
    return of_heads.reshape(-1, group, *of_heads.shape[1:])


def _mean_within(of_heads: Tensor, group: int) -> Tensor:
    """The mean over each ``group`` heads in a row, for every one of them: [heads, …]"""
    return grouped(of_heads, group).mean(1).repeat_interleave(group, 0)


def _principal(heads: Heads, x: Tensor, context: Tensor, group: int = 1, sides: tuple[Side, ...] = BOTH) -> Tensor:
    """A projection for each ``group`` heads in a row, to the d directions that tell most of these sides: [heads, d,
    inputs], equal within a group."""
    queries = torch.einsum("bli,hdi->hbld", x, heads.query).flatten(1, 2)
    metrics = {"key": queries.mT @ queries, "value": heads.out @ heads.out.mT}
    weighted, seen = [], []
    for side in sides:
        tokens = _along(getattr(heads, side), heads, context)
        root = _root(metrics[side], tokens)
        weighted.append(root.mT @ getattr(heads, side))
        seen.append(tokens @ root)
    projection = grouped(torch.cat(weighted, 1), group).flatten(1, 2)
    told = grouped(torch.cat(seen, -1), group).movedim(1, 2).flatten(2)
    directions = torch.linalg.eigh(told.mT @ told).eigenvectors[..., -heads.key.shape[1] :]
    shared: Tensor = (directions.mT @ projection).repeat_interleave(group, 0)
    return shared


def _read_from(shared: Tensor, heads: Heads, context: Tensor, group: int = 1, sides: tuple[Side, ...] = BOTH) -> Heads:
    """These sides as linear functions of ``shared`` [heads, d, inputs], by least squares on the context."""
    source = _along(shared, heads, context)
    read = heads
    if "key" in sides:
        read = replace(read, query=_fit(source, _along(heads.key, heads, context)) @ heads.query, key=shared)
    if "value" in sides:
        to_value = _fit(source, _along(heads.value, heads, context))
        lost = (heads.value - to_value.mT @ shared) @ context.flatten(0, 1).mean(0)
        bias = heads.out_bias + torch.einsum("hd,hdo->o", lost, heads.out) * heads.softmax
        read = replace(read, value=shared, out=to_value @ heads.out, out_bias=bias)
    return _balance(read, shared, group, sides)


def _balance(heads: Heads, shared: Tensor, group: int, sides: tuple[Side, ...]) -> Heads:
    """The same function with each dimension of ``s`` scaled so that its row in the shared projection is as long as
    those that read it are on average; training fails where one is tiny and the others huge."""
    readers = torch.stack([(heads.query if side == "key" else heads.out).square().sum(2) for side in sides]).mean(0)
    rows = _mean_within(readers, group) / shared.square().sum(2).clamp(min=1e-30)
    scale = rows.pow(0.25).clamp(min=1e-15)[..., None]
    shared = shared * scale
    if "key" in sides:
        heads = replace(heads, query=heads.query / scale, key=shared)
    return replace(heads, value=shared, out=heads.out / scale) if "value" in sides else heads


def _along(projection: Tensor, heads: Heads, context: Tensor) -> Tensor:
    """What a projection gives for every token: [heads, tokens, d]; with softmax less its mean."""
    tokens = context.flatten(0, 1)
    if heads.softmax:
        tokens = tokens - tokens.mean(0)
    return torch.einsum("ni,hdi->hnd", tokens, projection)


def _fit(source: Tensor, wanted: Tensor) -> Tensor:
    """The [heads, d, d] that minimises ‖source · M − wanted‖."""
    products = source.mT @ source
    scale = products.diagonal(dim1=-2, dim2=-1).mean(-1).clamp(min=1e-30)
    ridge = _RIDGE * scale[:, None, None] * torch.eye(products.shape[-1], dtype=products.dtype)
    solution: Tensor = torch.linalg.solve(products + ridge, source.mT @ wanted)
    return solution


def _root(metric: Tensor, vectors: Tensor) -> Tensor:
    """R with R Rᵀ the metric [heads, d, d], scaled so that the ``vectors`` have norm one in it."""
    values, directions = torch.linalg.eigh(metric)
    root = directions * values.clamp(min=0).sqrt()[:, None, :]
    scaled: Tensor = root / (vectors @ root).flatten(1).norm(dim=1).clamp(min=1e-30)[:, None, None]
    return scaled
