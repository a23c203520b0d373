"""Hand on the weights of an attention."""

from dataclasses import replace
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from archlab.unet.inheritance.key_value import Heads, grouped, pool, share
from archlab.unet.inheritance.layers import Approximation, Transfer, write
from archlab.unet.inheritance.selection import Selection, choose
from archlab.unet.inherited import How
from archlab.unet.norms import RMSNorm, TokenNorm
from archlab.unet.transformer import Attention

_NOISE_SHAPE = (8, 64)  # samples and tokens of the white noise that stands for calibration data


def carry_attention(
    transfer: Transfer,
    target: Attention,
    source: Attention,
    norm: TokenNorm,
    tokens: Selection,
    context: Selection | None,
) -> None:
    """Queries, keys, values, their norms and the last projection.

    Keys and values become one projection by `share`; one becomes two by copying it. Heads come to share keys and values
    by `pool`, and have their own again by copying them. Of a narrower head the dimensions that matter for the scores
    (query with key) and for the output (value with out) are kept, the query scaled so that the temperature stays.
    Dimensions and heads that are more than the parent's do nothing yet. A norm of queries and keys starts with their
    root mean square for its scale, so that scores are as large as before; where it is taken away its scale goes into
    the projections. Rotary positions have no weights.

    Args:
        norm: the parent's, before the attention.
        tokens: channels of the tokens that it reads and adds to.
        context: channels that keys and values are made of; None for a context of another kind: both are new then.
    """
    inputs = _inputs(transfer, source, norm)
    before = heads_of(source, softmax=source.normalizer == target.normalizer == "softmax")
    heads, fit, query_fit = before, None, None
    if source.query_norm is not None and target.query_norm is None:
        heads, query_fit = _with_norms_taken_in(before, source, *inputs), Approximation("norms taken in", None)
    if target.shared_kv and not source.shared_kv and context is not None:
        heads, fit = share(heads, *inputs, "keep key" if target.rotary else transfer.methods.sharing)
    kept = choose(_importance(heads).sum(1), target.heads)
    if target.kv_heads < target.heads:
        heads, kept = _in_order(heads, kept), Selection(torch.arange(target.heads), kept.unread, target.heads)
        if (source.heads, source.kv_heads) != (target.heads, target.kv_heads) and context is not None:
            heads, fit = pool(heads, target.kv_heads, *inputs, turned=target.rotary or target.query_norm is not None)
    rows = _choose_rows(heads, kept, target)
    temperature = (target.head_size / heads.key.shape[1]) ** 0.5

    def project(layer: nn.Linear, weight: Tensor, outputs: Selection, of: Selection, sources: list[nn.Linear]) -> None:
        moments = transfer.moments(sources[0])
        transfer.place(layer, weight.flatten(0, 1), None, outputs, of, sources, fit=fit, moments=moments)

    query_fit = fit if fit and heads.query is not before.query else query_fit
    moments = transfer.moments(source.query)
    query = (heads.query * temperature).flatten(0, 1)
    transfer.place(target.query, query, None, rows.query, tokens, [source.query], fit=query_fit, moments=moments)
    target.query.weight[rows.query.unread] = 0
    group = target.heads // target.kv_heads
    if context is not None and target.shared_kv:
        project(target.key_value, heads.key[::group], rows.value, context, key_layers(source))
    elif context is not None:
        project(target.key, heads.key[::group], rows.key, context, key_layers(source)[:1])
        project(target.value, heads.value[::group], rows.value, context, key_layers(source)[-1:])
    out_fit = fit if heads.out is not before.out else None
    transfer.place(
        target.out,
        heads.out.flatten(0, 1).T,
        heads.out_bias,
        tokens,
        rows.out,
        [source.out],
        fit=out_fit,
        moments=None if fit else transfer.moments(source.out),
    )
    _carry_norms(transfer, target, source, heads, rows, inputs)


def key_layers(attention: Attention) -> list[nn.Linear]:
    """The projections of the context: one or two."""
    return [attention.key_value] if attention.shared_kv else [attention.key, attention.value]


class _Rows(NamedTuple):
    """Which dimensions of all heads are kept, for each projection."""

    query: Selection
    key: Selection
    value: Selection
    out: Selection


def heads_of(attention: Attention, softmax: bool) -> Heads:
    """The projections of a module in float64, to be used with softmax or with relu; norms and positions left out."""
    group = attention.heads // attention.kv_heads

    def split(weight: Tensor) -> Tensor:
        return weight.double().reshape(-1, attention.head_size, weight.shape[1])

    key = split(key_layers(attention)[0].weight).repeat_interleave(group, 0)
    value = key if attention.shared_kv else split(attention.value.weight).repeat_interleave(group, 0)
    out, bias = split(attention.out.weight.T), attention.out.bias.double()
    return Heads(query=split(attention.query.weight), key=key, value=value, out=out, out_bias=bias, softmax=softmax)


def _importance(heads: Heads) -> Tensor:
    """Of every dimension of every head, for the scores and for the output: [heads, d]"""
    for_scores, for_output = _for_scores(heads), _for_output(heads)
    return for_scores / for_scores.sum().clamp(min=1e-30) + for_output / for_output.sum().clamp(min=1e-30)


def _for_scores(heads: Heads) -> Tensor:
    return heads.query.square().sum(2) * heads.key.square().sum(2)


def _for_output(heads: Heads) -> Tensor:
    return heads.value.square().sum(2) * heads.out.square().sum(2)


def _in_order(heads: Heads, kept: Selection) -> Heads:
    """The heads that are kept, and as they are where that is all of them."""
    if torch.equal(kept.origins, torch.arange(len(heads.query))):
        return heads
    key = heads.key[kept.origins]
    value = key if heads.key is heads.value else heads.value[kept.origins]
    return replace(heads, query=heads.query[kept.origins], key=key, value=value, out=heads.out[kept.origins])


def _choose_rows(heads: Heads, kept: Selection, target: Attention) -> _Rows:
    """Which dimensions are kept for the scores, and which for what is mixed; the same where keys and values are one
    projection, and in all heads where the scores know the dimensions apart."""
    group = target.heads // target.kv_heads
    scores, mixed = _for_scores(heads), _for_output(heads)
    if target.shared_kv:
        scores = mixed = _importance(heads)
    of_scores, of_mixed = (grouped(importance[kept.origins], group).sum(1) for importance in (scores, mixed))
    if target.rotary or target.query_norm is not None:
        of_scores = _as_compared(of_scores, target)
        of_mixed = of_scores if target.shared_kv else of_mixed
    query, key = _rows(of_scores, kept, target)
    out, value = _rows(of_mixed, kept, target)
    idle = grouped(kept.unread, group).all(1)
    return _Rows(query, key, _without(value, idle, target), _without(out, kept.unread, target))


def _without(rows: Selection, idle: Tensor, target: Attention) -> Selection:
    """The same where nothing reads heads that the parent has not."""
    return Selection(rows.origins, rows.unread | idle.repeat_interleave(target.head_size), rows.before)


def _as_compared(importance: Tensor, target: Attention) -> Tensor:
    """The importance of dimensions that are the same in every head; with rotary positions pairs are kept whole, and
    those whose angles are nearest to the new ones: [heads, d]"""
    heads, size = importance.shape
    everywhere = importance.sum(0)
    if target.rotary:
        quarter, new = size // 4, target.head_size // 4
        pairs = torch.zeros(quarter)
        pairs[(torch.arange(min(new, quarter)) * quarter / min(new, quarter)).long()] = 1
        everywhere = pairs.repeat(4)
    return everywhere.expand(heads, size)


def _rows(importance: Tensor, kept: Selection, target: Attention) -> tuple[Selection, Selection]:
    """The target's dimensions among those of all heads of queries, and of keys: [heads of keys, d] → [heads × size]."""
    count, before = importance.shape
    group = target.heads // target.kv_heads
    dims = choose(importance.flatten(), count * target.head_size, (count, count))
    within = dims.origins.reshape(count, -1) - torch.arange(count)[:, None] * before
    unread = dims.unread.reshape(count, -1)
    by_query = Selection(
        (kept.origins[:, None] * before + within.repeat_interleave(group, 0)).flatten(),
        unread.repeat_interleave(group, 0).flatten(),
        kept.before * before,
    )
    of_keys = kept.origins[::group, None] // group
    by_key = Selection((of_keys * before + within).flatten(), unread.flatten(), kept.before // group * before)
    return by_query, by_key


def _with_norms_taken_in(heads: Heads, source: Attention, x: Tensor, context: Tensor) -> Heads:
    """Queries that make the scores that the norms made, but for how long each token's queries and keys are."""
    scale = _scale(source.query_norm) * _scale(source.key_norm)
    lengths = _lengths(heads.query, x) * _lengths(heads.key, context)
    return replace(heads, query=heads.query * (scale / lengths[:, None])[..., None])


def _carry_norms(
    transfer: Transfer,
    target: Attention,
    source: Attention,
    heads: Heads,
    rows: _Rows,
    inputs: tuple[Tensor, Tensor],
) -> None:
    """Those of queries and keys; what a narrower head's temperature asks for goes into the queries' scale."""
    temperature = (target.head_size / heads.key.shape[1]) ** 0.5
    for norm, origin, projection, of, tokens, factor in (
        (target.query_norm, source.query_norm, heads.query, rows.query, inputs[0], temperature),
        (target.key_norm, source.key_norm, heads.key, rows.key, inputs[1], 1.0),
    ):
        if norm is None:
            return
        if origin is None:
            write(norm, _lengths(projection, tokens).square().mean().sqrt().expand(target.head_size) * factor)
            transfer.log.enter(norm, [], "fitted", target.head_size, None, "root mean square")
        else:
            dims = of.origins[: target.head_size] % source.head_size
            write(norm, origin.weight[dims] * factor)
            how: How = "trimmed" if target.head_size < source.head_size else "kept"
            transfer.log.enter(norm, [origin], how, int((~of.unread[: target.head_size]).sum()))


def _lengths(projection: Tensor, tokens: Tensor) -> Tensor:
    """Root mean square of what each head's projection gives: [heads]"""
    given = torch.einsum("bli,hdi->hbld", tokens, projection)
    return given.square().flatten(1).mean(1).clamp(min=1e-30).sqrt()


def _scale(norm: RMSNorm | None) -> Tensor:
    assert norm is not None
    return norm.weight.double()


def _inputs(transfer: Transfer, source: Attention, norm: TokenNorm) -> tuple[Tensor, Tensor]:
    """What enters the attention, in float64: observed, or white noise behind the norm."""
    if source in transfer.observations.attention_inputs:
        x, context = transfer.observations.attention_inputs[source]
        return x.double(), context.double()
    noise = torch.Generator().manual_seed(0)
    context_dim = (source.key_value if source.shared_kv else source.key).in_features
    x = torch.randn(*_NOISE_SHAPE, len(norm.weight), generator=noise, dtype=torch.float64)
    return x * norm.weight + cast(Tensor, norm.bias), torch.randn(
        *_NOISE_SHAPE, context_dim, generator=noise, dtype=torch.float64
    )
