"""Grouped heads, norms of queries and keys, rotary positions, RMS norms: against torch's and transformers' own."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from diffusers.models.embeddings import get_1d_rotary_pos_embed
from torch import Tensor, nn
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from archlab.architecture import ArchitectureError, Transformer, UNetSpec, map_transformers
from archlab.architecture.parts import KVHeads, Normalizer
from archlab.space import KNOBS
from archlab.unet import build
from archlab.unet.norms import RMSNorm, feature_norm, token_norm
from archlab.unet.rotary import rotate
from archlab.unet.transformer import Attention

CHANNELS, CONTEXT, HEADS = 48, 10, 6
SIZE = CHANNELS // HEADS
TOLERANCE = {"rtol": 0, "atol": 1e-5}


def apart(tokens: Tensor) -> Tensor:
    """[B, L, heads · d] → [B, heads, L, d]"""
    return tokens.unflatten(-1, (-1, SIZE)).transpose(1, 2)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("kv_heads", [1, 2, 3, 6, "all"])
@torch.no_grad()
def test_grouped_heads_are_those_of_torch(kv_heads: KVHeads, shared: bool) -> None:
    transformer = Transformer(heads=HEADS, kv_heads=kv_heads, kv_sharing="all" if shared else "none")
    attention = Attention(CHANNELS, CONTEXT, transformer, "cross")
    x, context = torch.randn(2, 9, CHANNELS), torch.randn(2, 5, CONTEXT)
    key = attention.key_value if shared else attention.key
    value = attention.key_value if shared else attention.value
    query = apart(attention.query(x))
    mixed = F.scaled_dot_product_attention(query, apart(key(context)), apart(value(context)), enable_gqa=True)
    torch.testing.assert_close(attention(x, context), attention.out(mixed.transpose(1, 2).flatten(2)), **TOLERANCE)


@pytest.mark.parametrize("normalizer", ["softmax", "relu"])
def test_grouped_heads_learn_as_heads_with_equal_keys_do(normalizer: Normalizer) -> None:
    grouped, whole = (
        Attention(CHANNELS, CONTEXT, Transformer(heads=HEADS, kv_heads=k, attention_normalizer=normalizer), "cross")
        for k in (2, "all")
    )
    weights = grouped.state_dict()
    for name in ("key.weight", "value.weight"):
        weights[name] = weights[name].unflatten(0, (2, SIZE)).repeat_interleave(3, 0).flatten(0, 1)
    whole.load_state_dict(weights)
    x, context = torch.randn(2, 9, CHANNELS), torch.randn(2, 5, CONTEXT)
    for attention in (grouped, whole):
        attention(x, context).square().sum().backward()
    expected = whole.key.weight.grad.unflatten(0, (2, 3, SIZE)).sum(1).flatten(0, 1)  # type: ignore[union-attr]
    torch.testing.assert_close(grouped.key.weight.grad, expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_rotary_positions_turn_half_of_the_pairs_by_the_row_and_half_by_the_column() -> None:
    """Angles by diffusers, turned by transformers."""
    height, width, heads, size = 3, 5, 4, 16
    query = torch.randn(1, height * width, heads, size)
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    pairs = torch.cat([get_1d_rotary_pos_embed(size // 2, axis.flatten()) for axis in (rows, columns)], dim=-1)
    both = torch.cat([pairs, pairs], dim=-1)[None]
    expected, _ = apply_rotary_pos_emb(query, query, both.real, both.imag, unsqueeze_dim=2)
    torch.testing.assert_close(rotate(query, (height, width)), expected, **TOLERANCE)


@torch.no_grad()
def test_attention_normalises_then_turns_queries_and_keys() -> None:
    transformer = Transformer(heads=HEADS, kv_heads=2, qk_norm="rms", positions="rotary")
    attention = Attention(CHANNELS, CHANNELS, transformer, "self")
    norms = [nn.RMSNorm(SIZE, eps=1e-6) for _ in range(2)]
    for ours, theirs in zip((attention.query_norm, attention.key_norm), norms, strict=True):
        assert ours is not None
        theirs.weight.copy_(ours.weight.uniform_(0.5, 2))
    x = torch.randn(2, 6, CHANNELS)
    query, key, value = attention.query(x), attention.key(x), attention.value(x)
    query, key = (
        rotate(norm(tokens.unflatten(-1, (-1, SIZE))), (2, 3)).flatten(2)
        for norm, tokens in zip(norms, (query, key), strict=True)
    )
    mixed = F.scaled_dot_product_attention(apart(query), apart(key), apart(value), enable_gqa=True)
    expected = attention.out(mixed.transpose(1, 2).flatten(2))
    torch.testing.assert_close(attention(x, x, (2, 3)), expected, **TOLERANCE)
    assert not Attention(CHANNELS, CONTEXT, transformer, "cross").rotary, "text has no place in the image"


@torch.no_grad()
def test_scores_follow_how_far_two_places_are_apart() -> None:
    pixels = torch.randn(1, 1, 1, 16).expand(1, 16, 1, 16)
    turned = rotate(pixels, (4, 4)).reshape(4, 4, 16)
    scores = torch.einsum("ijd,kld->ijkl", turned, turned)
    torch.testing.assert_close(scores[0, 0, 1, 2], scores[2, 1, 3, 3])
    assert (scores[0, 0, 1, 2] - scores[0, 0, 2, 1]).abs() > 1e-3, "rows and columns are told apart"


@torch.no_grad()
def test_rms_norms_are_torchs() -> None:
    tokens, features = torch.randn(2, 9, 12) * 3, torch.randn(2, 12, 4, 5) * 3
    reference = nn.RMSNorm(12, eps=1e-5)
    reference.weight.uniform_(0.5, 2)
    of_tokens, of_features = token_norm("rms", 12), feature_norm("rms", 12, 4, 1e-5)
    shift = torch.randn(12)
    for ours in (of_tokens, of_features):
        assert isinstance(ours, RMSNorm)
        ours.weight.copy_(reference.weight)
        assert ours.bias is not None
        ours.bias.copy_(shift)
    torch.testing.assert_close(of_tokens(tokens), reference(tokens) + shift, **TOLERANCE)
    expected = (reference(features.movedim(1, -1)) + shift).movedim(-1, 1)
    torch.testing.assert_close(of_features(features), expected, **TOLERANCE)


def test_an_rms_network_has_no_other_norms(small: UNetSpec) -> None:
    unet = build(replace(small, norm="rms"))
    kinds = {type(module) for module in unet.modules() if "Norm" in type(module).__name__}
    assert kinds == {RMSNorm}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads": 4, "kv_heads": 3}, r"down\.0\.0\.transformers\[0\]: kv_heads: 3 do not divide 4 heads"),
        ({"heads": 4, "kv_heads": 0}, "kv_heads: 0 do not divide 4 heads"),
        ({"heads": 4, "kv_heads": 8}, "kv_heads: 8 do not divide 4 heads"),
        ({"heads": 8, "positions": "rotary"}, "rotary ones need heads of a multiple of 4 channels, and 8 heads of 16"),
    ],
)
def test_what_cannot_be_built_is_refused(small: UNetSpec, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        map_transformers(small, lambda each, _: replace(each, **changes))  # type: ignore[arg-type]


def test_another_width_keeps_heads_that_can_be(small: UNetSpec) -> None:
    def heads(spec: UNetSpec) -> set[tuple[int, int]]:
        return {(t.heads, t.key_heads) for stage in spec.stages for b in stage.down for t in b.transformers}

    grouped = KNOBS["kv_heads"].apply(small, 2)
    assert heads(grouped) == {(2, 2), (4, 2)}
    assert heads(grouped.with_channels((40, 56))) == {(2, 2), (4, 2)}
    turned = KNOBS["positions"].apply(KNOBS["kv_heads"].apply(small, 1), "rotary")
    assert heads(turned.with_channels((40, 56))) == {(2, 1), (2, 1)}, "56 / 4 is no multiple of 4"


def test_as_many_heads_of_keys_as_of_queries_are_the_same_network(small: UNetSpec) -> None:
    of_four = map_transformers(small, lambda each, _: replace(each, heads=4))
    assert KNOBS["kv_heads"].apply(of_four, 4).id == of_four.id
    assert KNOBS["conv_expansion"].apply(small, 3).id == small.id, "nothing is expanded"
