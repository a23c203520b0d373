"""Hand on the weights of an attention."""

import torch
from torch import Tensor, nn

from archlab.unet.inheritance.key_value import Heads, heads_of, share
from archlab.unet.inheritance.layers import Transfer
from archlab.unet.inheritance.selection import Selection, choose
from archlab.unet.transformer import Attention

_NOISE_SHAPE = (8, 64)  # samples and tokens of the white noise that stands for calibration data


def carry_attention(
    transfer: Transfer,
    target: Attention,
    source: Attention,
    norm: nn.LayerNorm,
    tokens: Selection,
    context: Selection | None,
) -> None:
    """Queries, keys, values and the last projection.

    Keys and values become one projection by `share`; one becomes two by copying it. Of a narrower head the dimensions
    that matter for the scores (query with key) and for the output (value with out) are kept, the query scaled so that
    the temperature stays. Dimensions and heads that are more than the parent's do nothing yet.

    Args:
        norm: the parent's, before the attention.
        tokens: channels of the tokens that it reads and adds to.
        context: channels that keys and values are made of; None for a context of another kind: both are new then.
    """
    before = heads_of(source, softmax=source.normalizer == target.normalizer == "softmax")
    heads, fit = before, None
    if target.shared_kv and not source.shared_kv and context is not None:
        heads, fit = share(before, *_inputs(transfer, source, norm), transfer.methods.sharing)
    scores, mixed = _choose_dims(heads, target)
    temperature = (target.out.in_features / target.heads / heads.key.shape[1]) ** 0.5

    def project(
        layer: nn.Linear, weight: Tensor, outputs: Selection, inputs: Selection, sources: list[nn.Linear], fitted: bool
    ) -> None:
        moments = transfer.moments(sources[0])
        transfer.place(layer, weight, None, outputs, inputs, sources, fit=fit if fitted else None, moments=moments)

    query = (heads.query * temperature).flatten(0, 1)
    project(target.query, query, scores, tokens, [source.query], heads.query is not before.query)
    target.query.weight[scores.unread] = 0
    if context is not None and target.shared_kv:
        project(target.key_value, heads.key.flatten(0, 1), mixed, context, key_layers(source), True)
    elif context is not None:
        project(target.key, heads.key.flatten(0, 1), scores, context, key_layers(source)[:1], False)
        project(target.value, heads.value.flatten(0, 1), mixed, context, key_layers(source)[-1:], False)
    out_is_fitted = heads.out is not before.out
    transfer.place(
        target.out,
        heads.out.flatten(0, 1).T,
        heads.out_bias,
        tokens,
        mixed,
        [source.out],
        fit=fit if out_is_fitted else None,
        moments=None if fit else transfer.moments(source.out),
    )


def key_layers(attention: Attention) -> list[nn.Linear]:
    """The projections of the context: one or two."""
    return [attention.key_value] if attention.shared_kv else [attention.key, attention.value]


def _choose_dims(heads: Heads, target: Attention) -> tuple[Selection, Selection]:
    """Which of all heads' dimensions are kept for the scores, and which for what is mixed; the same where keys and
    values are one projection."""
    count, size = target.heads, target.out.in_features // target.heads
    for_scores = heads.query.square().sum(2) * heads.key.square().sum(2)
    for_output = heads.value.square().sum(2) * heads.out.square().sum(2)
    both = for_scores / for_scores.sum().clamp(min=1e-30) + for_output / for_output.sum().clamp(min=1e-30)
    kept = choose(both.sum(1), count)
    scores, mixed = (
        _dims_of(kept, importance, size)
        for importance in ((both, both) if target.shared_kv else (for_scores, for_output))
    )
    new_heads = kept.unread.repeat_interleave(size)
    return scores, Selection(mixed.origins, mixed.unread | new_heads, mixed.before)


def _dims_of(kept: Selection, importance: Tensor, size: int) -> Selection:
    """``size`` dimensions of each kept head: [heads, d] → kept × size."""
    count = len(importance)
    dims = choose(importance.flatten(), count * size, (count, count))
    return Selection(
        dims.origins.reshape(count, size)[kept.origins].flatten(),
        dims.unread.reshape(count, size)[kept.origins].flatten(),
        dims.before,
    )


def _inputs(transfer: Transfer, source: Attention, norm: nn.LayerNorm) -> tuple[Tensor, Tensor]:
    """What enters the attention, in float64: observed, or white noise behind the norm."""
    if source in transfer.observations.attention_inputs:
        x, context = transfer.observations.attention_inputs[source]
        return x.double(), context.double()
    noise = torch.Generator().manual_seed(0)
    context_dim = (source.key_value if source.shared_kv else source.key).in_features
    x = torch.randn(*_NOISE_SHAPE, norm.normalized_shape[0], generator=noise, dtype=torch.float64)
    return x * norm.weight + norm.bias, torch.randn(*_NOISE_SHAPE, context_dim, generator=noise, dtype=torch.float64)
