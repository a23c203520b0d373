"""Attention, feed-forward and separable convolutions against the formulas written out."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archlab.architecture import Transformer
from archlab.architecture.parts import Activation, KVSharing, Normalizer
from archlab.unet.blocks import SeparableConv
from archlab.unet.transformer import Attention, FeedForward, TransformerBlock, TransformerStack

CHANNELS, CONTEXT = 12, 10


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-6)


def attending(
    heads: int, shared: bool = False, normalizer: Normalizer = "softmax", channels: int = CHANNELS, width: int = CONTEXT
) -> Attention:
    transformer = Transformer(heads=heads, kv_sharing="all" if shared else "none", attention_normalizer=normalizer)
    return Attention(channels, width, transformer, "cross")


def by_hand(attention: Attention, x: Tensor, context: Tensor, normalize: Callable[[Tensor], Tensor]) -> Tensor:
    """Head by head; head h has channels h·d … (h + 1)·d."""
    key = attention.key_value if attention.shared_kv else attention.key
    value = attention.key_value if attention.shared_kv else attention.value
    q, k, v = attention.query(x), key(context), value(context)
    size = q.shape[-1] // attention.heads
    mixed = []
    for head in range(attention.heads):
        part = slice(head * size, (head + 1) * size)
        scores = torch.einsum("bqd,bkd->bqk", q[..., part], k[..., part]) / size**0.5
        mixed.append(torch.einsum("bqk,bkd->bqd", normalize(scores), v[..., part]))
    out: Tensor = attention.out(torch.cat(mixed, dim=-1))
    return out


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("heads", [1, 3, 12])
@torch.no_grad()
def test_softmax_attention(heads: int, shared: bool) -> None:
    attention = attending(heads, shared)
    x, context = torch.randn(2, 9, CHANNELS), torch.randn(2, 5, CONTEXT)
    close(attention(x, context), by_hand(attention, x, context, lambda scores: scores.softmax(-1)))


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("heads", [1, 3])
@torch.no_grad()
def test_relu_attention_divides_by_the_number_of_keys(heads: int, shared: bool) -> None:
    attention = attending(heads, shared, "relu")
    x, context = torch.randn(2, 9, CHANNELS), torch.randn(2, 5, CONTEXT)
    close(attention(x, context), by_hand(attention, x, context, lambda scores: scores.clamp(min=0) / 5))


@torch.no_grad()
def test_relu_attention_of_one_number() -> None:
    # One channel, all weights 1: query 2, keys 3 and −1, values the same. relu(6), relu(−2) over 2 keys: 3 · 3 + 0 = 9.
    attention = attending(1, normalizer="relu", channels=1, width=1)
    for parameter in attention.parameters():
        nn.init.ones_(parameter)
    nn.init.zeros_(attention.out.bias)
    assert attention(torch.tensor([[[2.0]]]), torch.tensor([[[3.0], [-1.0]]])).item() == pytest.approx(9)


@torch.no_grad()
def test_shared_projection_equals_two_with_equal_weights() -> None:
    shared, apart = (attending(3, share) for share in (True, False))
    weights = shared.state_dict()
    weights["key.weight"] = weights["value.weight"] = weights.pop("key_value.weight")
    apart.load_state_dict(weights)
    x, context = torch.randn(2, 9, CHANNELS), torch.randn(2, 5, CONTEXT)
    close(shared(x, context), apart(x, context))


@pytest.mark.parametrize(
    ("sharing", "self_shared", "cross_shared"), [("none", False, False), ("self", True, False), ("all", True, True)]
)
def test_sharing_is_where_the_spec_says(sharing: KVSharing, self_shared: bool, cross_shared: bool) -> None:
    transformer = Transformer(heads=3, kv_sharing=sharing)
    names = {name for name, _ in TransformerBlock(CHANNELS, CONTEXT, transformer, "group").named_parameters()}
    assert ("self_attention.key_value.weight" in names) is self_shared
    assert ("self_attention.key.weight" in names) is not self_shared
    assert ("cross_attention.key_value.weight" in names) is cross_shared
    assert ("cross_attention.value.weight" in names) is not cross_shared


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("gelu", lambda x: x * 0.5 * (1 + torch.erf(x / 2**0.5))),
        ("gelu_tanh", lambda x: 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))),
        ("swish", lambda x: x / (1 + torch.exp(-x))),
        ("relu", lambda x: x.clamp(min=0)),
        ("hardswish", lambda x: x * (x + 3).clamp(0, 6) / 6),
        ("mish", lambda x: x * torch.tanh(torch.log1p(torch.exp(x)))),
    ],
)
@pytest.mark.parametrize("gated", [True, False])
@torch.no_grad()
def test_feed_forward(name: Activation, formula: Callable[[Tensor], Tensor], gated: bool) -> None:
    layer = FeedForward(CHANNELS, Transformer(heads=1, ff_ratio=4, ff_activation=name, ff_gated=gated))
    x = torch.randn(2, 5, CHANNELS) * 3
    wide = layer.expand(x)
    assert wide.shape[-1] == 4 * CHANNELS
    half = 2 * CHANNELS
    hidden = wide[..., :half] * formula(wide[..., half:]) if gated else formula(wide)
    close(layer(x), layer.contract(hidden))


@torch.no_grad()
def test_removed_parts_are_gone_and_the_rest_is_unchanged() -> None:
    """Each subset of the three parts is the residual sum of just those parts."""
    whole = TransformerBlock(CHANNELS, CONTEXT, Transformer(heads=3), "group")
    x, context = torch.randn(2, 9, CHANNELS), torch.randn(2, 5, CONTEXT)
    for self_there in (True, False):
        for cross_there in (True, False):
            for feed_there in (True, False):
                block = TransformerBlock(
                    CHANNELS,
                    CONTEXT,
                    Transformer(
                        heads=3,
                        self_attention=self_there,
                        cross_attention=cross_there,
                        ff_ratio=8 if feed_there else 0,
                    ),
                    "group",
                )
                names = set(block.state_dict())
                block.load_state_dict({name: w for name, w in whole.state_dict().items() if name in names})
                expected = x
                if self_there:
                    normed = whole.self_norm(expected)
                    assert whole.self_attention is not None
                    expected = expected + whole.self_attention(normed, normed)
                if cross_there:
                    assert whole.cross_attention is not None
                    expected = expected + whole.cross_attention(whole.cross_norm(expected), context)
                if feed_there:
                    assert whole.feed_forward is not None
                    expected = expected + whole.feed_forward(whole.ff_norm(expected))
                close(block(x, context, (3, 3)), expected)
                assert any("self_" in name for name in names) is self_there
                assert any("cross_" in name for name in names) is cross_there
                assert any(name.startswith(("ff_", "feed_")) for name in names) is feed_there


@torch.no_grad()
def test_tokens_are_the_pixels_row_by_row() -> None:
    stack = TransformerStack([Transformer(heads=3)], CHANNELS, CONTEXT, "group", norm_groups=4)
    x, context = torch.randn(1, CHANNELS, 2, 3), torch.randn(1, 5, CONTEXT)
    normed = F.group_norm(x, 4, stack.norm.weight, stack.norm.bias, eps=1e-6)
    tokens = torch.stack([normed[0, :, row, column] for row in range(2) for column in range(3)])[None]
    tokens = stack.project_out(stack.blocks[0](stack.project_in(tokens), context, (2, 3)))
    expected = x.clone()
    for index in range(6):
        expected[0, :, index // 3, index % 3] += tokens[0, index]
    close(stack(x, context), expected)


@pytest.mark.parametrize("stride", [1, 2])
@torch.no_grad()
def test_separable_convolution_equals_the_dense_one_with_the_composed_kernel(stride: int) -> None:
    separable = SeparableConv(6, 10, stride)
    # dense[o, i] = pointwise[o, i] · depthwise[i]
    kernel = separable.pointwise.weight * separable.depthwise.weight[:, 0]
    x = torch.randn(2, 6, 8, 8)
    expected = F.conv2d(x, kernel, separable.pointwise.bias, stride=stride, padding=1)
    close(separable(x), expected)
    assert expected.shape[-1] == 8 // stride
