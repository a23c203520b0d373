"""One projection for keys and values (W_K = W_V) that starts where two were.

The W that minimises E‖W x − W_K x‖² + E‖W x − W_V x‖² is the mean of W_K and W_V whatever x is. The ways beside the
mean let each head do what the mean cannot: read its keys and values from one vector s by linear maps, k ≈ A s and
v ≈ B s, which the query and the last projection take in: q·k ≈ (Aᵀq)·s and W_O v ≈ (W_O B) s. A constant in k changes
no softmax and one in v is a constant in the output, so with softmax both are left out of the fit.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from archlab.unet.inheritance.layers import Approximation
from archlab.unet.inheritance.methods import Sharing
from archlab.unet.transformer import Attention

_RIDGE = 1e-6


@dataclass(frozen=True)
class Heads:
    """An attention's projections, head by head.

    Attributes:
        query, key, value: [heads, d, inputs].
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


def heads_of(attention: Attention, softmax: bool) -> Heads:
    """The projections of a module in float64, to be used with softmax or with relu."""

    def split(weight: Tensor) -> Tensor:
        return weight.double().reshape(attention.heads, -1, weight.shape[1])

    shared = attention.shared_kv
    return Heads(
        query=split(attention.query.weight),
        key=split((attention.key_value if shared else attention.key).weight),
        value=split((attention.key_value if shared else attention.value).weight),
        out=split(attention.out.weight.T),
        out_bias=attention.out.bias.double(),
        softmax=softmax,
    )


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
    keys, values = _along(heads.key, heads, context), _along(heads.value, heads, context)
    queries = torch.einsum("bli,hdi->hbld", x, heads.query).flatten(1, 2)
    weights = [_root(queries.mT @ queries, keys), _root(heads.out @ heads.out.mT, values)]
    both = torch.cat([keys @ weights[0], values @ weights[1]], dim=-1)
    directions = torch.linalg.eigh(both.mT @ both).eigenvectors[..., -keys.shape[-1] :]
    weighted = torch.cat([weights[0].mT @ heads.key, weights[1].mT @ heads.value], dim=1)
    return _read_from(directions.mT @ weighted, heads, context)


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


def _read_from(shared: Tensor, heads: Heads, context: Tensor) -> Heads:
    """Keys and values as linear functions of ``shared`` [heads, d, inputs], by least squares on the context."""
    source = _along(shared, heads, context)
    to_key, to_value = (_fit(source, _along(part, heads, context)) for part in (heads.key, heads.value))
    lost = (heads.value - to_value.mT @ shared) @ context.flatten(0, 1).mean(0)
    bias = heads.out_bias + torch.einsum("hd,hdo->o", lost, heads.out) * heads.softmax
    query, out = to_key @ heads.query, to_value @ heads.out
    return _balance(replace(heads, query=query, key=shared, value=shared, out=out, out_bias=bias))


def _balance(heads: Heads) -> Heads:
    """The same function with each dimension of ``s`` scaled so that its row in the shared projection is as long as
    those that read it are on average; training fails where one is tiny and the others huge."""
    readers = (heads.query.square().sum(2) + heads.out.square().sum(2)) / 2
    scale = (readers / heads.key.square().sum(2).clamp(min=1e-30)).pow(0.25).clamp(min=1e-15)[..., None]
    shared = heads.key * scale
    return replace(heads, query=heads.query / scale, key=shared, value=shared, out=heads.out / scale)


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
