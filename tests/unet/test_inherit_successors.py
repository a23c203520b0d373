"""What a child with grouped heads, norms of queries and keys, positions or expanded convolutions inherits."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from archlab.architecture import UNetSpec, map_transformers
from archlab.unet import build, inherit
from archlab.unet.blocks import SeparableConv
from archlab.unet.inheritance.kernels import low_rank
from archlab.unet.transformer import Attention
from tests.unet.test_inherit import attributes, batch, change, distance

CHANGES: dict[str, dict[str, Any]] = {
    "one head of keys": {"kv_heads": 1},
    "one head of shared keys": {"kv_heads": 1, "kv_sharing": "all"},
    "norms of queries and keys": {"qk_norm": "rms"},
    "rotary positions": {"positions": "rotary", "kv_heads": 2},
    "rms norms": {"norm": "rms"},
    "expanded": {"conv": "separable_expanded"},
    "expanded by three": {"conv": "separable_expanded", "conv_expansion": 3},
}


def attentions(unet: nn.Module) -> list[Attention]:
    return [module for module in unet.modules() if isinstance(module, Attention)]


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_it_inherits_itself_exactly_and_nearly_when_twice_as_wide_and_back(
    small: UNetSpec, changes: dict[str, Any]
) -> None:
    own = change(small, **changes)
    parent = build(own)
    child = inherit(parent, own, [batch(small)])
    assert distance(child, parent) == 0
    assert child.inheritance is not None
    assert child.inheritance.params["kept"] == sum(parameter.numel() for parameter in parent.parameters())
    wide = inherit(parent, change(own, channels=(32, 64)))
    if changes != {"qk_norm": "rms"}:  # of twice as many channels, half of them idle, the mean square is another
        assert distance(wide, parent) < 1e-5
    assert distance(inherit(wide, own), parent) < (1e-2 if "conv" in changes else 1e-5)


@pytest.mark.parametrize("normalizer", ["softmax", "relu"])
@pytest.mark.parametrize("sharing", ["none", "all"])
def test_heads_share_keys_exactly_where_theirs_are_linear_maps_of_one(
    small: UNetSpec, sharing: str, normalizer: str
) -> None:
    own = attributes(small, kv_sharing=sharing, attention_normalizer=normalizer)
    parent = build(own)
    with torch.no_grad():
        for attention in attentions(parent):
            for layer in [attention.key_value] if attention.shared_kv else [attention.key, attention.value]:
                one = layer.weight[: attention.head_size]
                maps = torch.randn(attention.heads, attention.head_size, attention.head_size)
                layer.weight.copy_((maps @ one).flatten(0, 1))
    child = inherit(parent, attributes(own, kv_heads=1), [batch(small)])
    assert distance(child, parent) < 1e-3
    assert child.inheritance is not None
    fitted = [row for row in child.inheritance.rows if row.note == "principal"]
    assert all(row.error is not None and row.error < 1e-3 for row in fitted)
    assert len(fitted) >= 2 * len(attentions(parent))


def test_heads_that_share_keys_get_their_own_again(small: UNetSpec) -> None:
    parent = build(attributes(small, kv_heads=1, kv_sharing="self"))
    assert distance(inherit(parent, attributes(small, kv_sharing="self")), parent) < 1e-5
    assert distance(inherit(parent, attributes(small, kv_heads=2, kv_sharing="self")), parent) < 1e-5


def test_norms_of_queries_and_keys_start_with_scores_as_large_as_before(small: UNetSpec) -> None:
    parent = build(small)
    with torch.no_grad():
        for attention in attentions(parent):
            attention.query.weight.mul_(4)
    normed = inherit(parent, attributes(small, qk_norm="rms"), [batch(small)])
    near = distance(normed, parent)
    assert distance(inherit(normed, small, [batch(small)]), normed) < 0.1, "taken away, its scale goes into the query"
    with torch.no_grad():
        for attention in attentions(normed):
            assert attention.query_norm is not None
            attention.query_norm.weight.fill_(1)
    assert near < 0.7 * distance(normed, parent)


def test_an_expanded_convolution_is_the_best_of_so_many_ranks() -> None:
    kernel = torch.randn(6, 4, 3, 3)
    expand, depthwise, pointwise, error = low_rank(kernel, 8)
    near = torch.einsum("om,mhw,mi->oihw", pointwise[..., 0, 0], depthwise[:, 0], expand[..., 0, 0])
    singular = torch.linalg.svdvals(kernel.flatten(2).movedim(1, 0)).flatten().sort(descending=True).values
    torch.testing.assert_close((near - kernel).square().sum(), singular[8:].square().sum())
    assert error == pytest.approx((singular[8:].square().sum() / singular.square().sum()).sqrt().item(), rel=1e-4)
    expand, depthwise, pointwise, error = low_rank(kernel, 40)  # more than the 24 that there are
    near = torch.einsum("om,mhw,mi->oihw", pointwise[..., 0, 0], depthwise[:, 0], expand[..., 0, 0])
    torch.testing.assert_close(near, kernel)


def test_more_ranks_lose_less_and_where_they_are_enough_nothing_is_lost(small: UNetSpec) -> None:
    parent = build(small)
    expanded = change(small, conv="separable_expanded")
    losses = [
        distance(inherit(parent, spec), parent)
        for spec in (change(small, conv="separable"), expanded, replace(expanded, conv_expansion=4))
    ]
    assert losses == sorted(losses, reverse=True)
    child = build(expanded)
    assert any(module.expand is not None for module in child.modules() if isinstance(module, SeparableConv))
    assert distance(inherit(child, small), child) < 1e-5, "a dense one has all ranks"
    separable = build(change(small, conv="separable"))
    assert distance(inherit(separable, expanded), separable) < 1e-5, "a separable one has one"


def test_positions_cost_no_weights(small: UNetSpec) -> None:
    parent = build(small)
    child = inherit(parent, map_transformers(small, lambda each, _: replace(each, positions="rotary")))
    for name, weight in parent.state_dict().items():
        assert torch.equal(weight, child.state_dict()[name]), name
