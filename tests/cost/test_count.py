"""Counts against torch's own module and three counters that were written elsewhere."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from archlab.architecture import AddedConditioning, UNetSpec, layout, map_blocks, map_transformers, preset, presets
from archlab.architecture.parts import Conv
from archlab.cost import count
from archlab.unet import UNet, build


def small() -> UNetSpec:
    """The tiny preset at a quarter of its width with 1/2 blocks, 8 × 8 latents, 5 tokens of width 24."""
    spec = preset("tiny").scaled(width=0.25, sample_size=8)
    stages = tuple(replace(stage, down=stage.down[:1], up=stage.up[:2]) for stage in spec.stages)
    return replace(spec, stages=stages, context_dim=24, context_length=5)


def transformers(**changes: Any) -> UNetSpec:
    return map_transformers(small(), lambda t, _: replace(t, **changes))


def separable(conv: Conv = "separable") -> UNetSpec:
    spec = map_blocks(small(), lambda block, place: replace(block, conv=conv if place else "standard"))
    stages = (replace(s, downsample=s.downsample and conv, upsample=s.upsample and conv) for s in spec.stages)
    return replace(spec, stages=tuple(stages))


def block_counts(down: int, up: int) -> UNetSpec:
    spec = small()
    stages = (
        replace(stage, down=(stage.down[0],) * down, up=(stage.up[0],) * up, downsample=None, upsample=None)
        for stage in spec.stages
    )
    return replace(spec, stages=tuple(stages))


SPECS: dict[str, Callable[[], UNetSpec]] = {
    "baseline": small,
    "relu attention": lambda: transformers(attention_normalizer="relu"),
    "shared self": lambda: transformers(kv_sharing="self"),
    "shared": lambda: transformers(kv_sharing="all"),
    "shared, relu": lambda: transformers(kv_sharing="all", attention_normalizer="relu"),
    "no self-attention": lambda: transformers(self_attention=False),
    "no cross-attention": lambda: transformers(cross_attention=False),
    "no attention": lambda: transformers(self_attention=False, cross_attention=False),
    "no feed-forward": lambda: transformers(ff_ratio=0),
    "nothing in the transformers": lambda: transformers(self_attention=False, cross_attention=False, ff_ratio=0),
    "not gated": lambda: transformers(ff_gated=False),
    "odd feed-forward": lambda: transformers(ff_ratio=2.6),
    "heads": lambda: transformers(heads=1),
    "separable": separable,
    "expanded": lambda: separable("separable_expanded"),
    "expanded by 1.3": lambda: replace(separable("separable_expanded"), conv_expansion=1.3),
    "rms norms": lambda: replace(small(), norm="rms"),
    "two heads of keys, norms of queries and keys": lambda: transformers(heads=4, kv_heads=2, qk_norm="rms"),
    "one head of shared keys, relu": lambda: transformers(kv_heads=1, kv_sharing="all", attention_normalizer="relu"),
    "rotary positions": lambda: transformers(positions="rotary"),
    "no middle": lambda: replace(small(), middle=()),
    "flat, 1/1": lambda: block_counts(1, 1),
    "flat, 1/4": lambda: block_counts(1, 4),
    "added": lambda: replace(small(), added=AddedConditioning(text_dim=16, time_ids=6, time_dim=8)),
    "other channels": lambda: replace(small(), in_channels=9, out_channels=8),
}


def inputs(spec: UNetSpec) -> tuple[Any, ...]:
    """One of each, on the current device."""
    sample = torch.zeros(1, spec.in_channels, spec.sample_size, spec.sample_size)
    positional: tuple[Any, ...] = (sample, torch.ones(1), torch.zeros(1, spec.context_length, spec.context_dim))
    if spec.added is None:
        return positional
    texts, ids = torch.zeros(1, spec.added.text_dim), torch.zeros(1, spec.added.time_ids)
    return (*positional, {"text_embeds": texts, "time_ids": ids})


def numel(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def macs_by_torch(spec: UNetSpec) -> int:
    """torch's FLOP counter, 2 FLOPs a MAC, with the attention as plain matrix products; without weights."""
    with torch.device("meta"), torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        unet, arguments = build(spec), inputs(spec)
        with FlopCounterMode(display=False) as counter:
            unet(*arguments)
    flops: int = counter.get_total_flops()
    assert flops % 2 == 0
    return flops // 2


@pytest.mark.parametrize("name", presets())
def test_presets_have_the_modules_params_and_torchs_macs(name: str) -> None:
    spec = preset(name)
    with torch.device("meta"):
        assert count(spec).params == numel(build(spec))
    assert count(spec).macs == macs_by_torch(spec)


@pytest.mark.parametrize("name", SPECS)
def test_params_and_macs_of_every_part_a_spec_can_have(name: str) -> None:
    spec = SPECS[name]()
    cost = count(spec)
    assert cost.params == numel(build(spec))
    assert cost.macs == macs_by_torch(spec)


@pytest.mark.parametrize("name", ["baseline", "relu attention", "shared", "not gated", "separable", "added"])
def test_macs_without_attention_are_fvcores_convolutions_and_linears(name: str) -> None:
    fvcore = pytest.importorskip("fvcore.nn")
    spec = SPECS[name]()
    analysis = fvcore.FlopCountAnalysis(build(spec).eval(), inputs(spec))
    operators = analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).by_operator()
    cost = count(spec)
    assert cost.macs_without_attention == operators["conv"] + operators["linear"]
    # fvcore sees relu attention's products as they are written out; softmax's are one operator that it skips.
    relu = any(t.attention_normalizer == "relu" for node in layout(spec) for t in node.transformers)
    assert operators["matmul"] == (cost.macs - cost.macs_without_attention if relu else 0)


@pytest.mark.parametrize("name", SPECS)
def test_macs_without_attention_are_thops(name: str) -> None:
    thop = pytest.importorskip("thop")
    spec = SPECS[name]()

    def nothing(module: Any, _inputs: Any, _output: Tensor) -> None:
        module.total_ops += 0

    ignored = dict.fromkeys((nn.LayerNorm, nn.GroupNorm), nothing)
    macs, _ = thop.profile(build(spec), inputs(spec), custom_ops=ignored, verbose=False)
    assert count(spec).macs_without_attention == macs


def test_attention_products_by_hand() -> None:
    # Stage 0: 8 × 8 = 64 tokens of 16 channels, 1 + 2 transformers; stage 1: 16 tokens of 32 channels, 3;
    # the middle: 4 tokens of 64 channels, 1. Self-attention: QKᵀ and PV are L·L·C each; cross: L·5·C each.
    places = [(64, 16, 3), (16, 32, 3), (4, 64, 1)]
    self_products = sum(number * 2 * length * length * channels for length, channels, number in places)
    cross_products = sum(number * 2 * length * 5 * channels for length, channels, number in places)
    whole, without_self, without_cross = (
        small(),
        transformers(self_attention=False),
        transformers(cross_attention=False),
    )
    for spec, products in (
        (whole, self_products + cross_products),
        (without_self, cross_products),
        (without_cross, self_products),
    ):
        assert count(spec).macs - count(spec).macs_without_attention == products


@pytest.mark.parametrize("name", SPECS)
def test_parts_add_up_and_are_the_modules_own(name: str) -> None:
    spec = SPECS[name]()
    cost = count(spec)
    unet: UNet = build(spec)
    assert [part.name for part in cost.by_block] == ["embedding", *(node.name for node in layout(spec))]
    assert sum(part.params for part in cost.by_block) == cost.params
    assert sum(part.macs for part in cost.by_block) == cost.macs
    for part in cost.by_block:
        if part.kind in ("block", "downsample", "upsample"):
            assert part.params == numel(unet.get_submodule(part.name)), part.name


def test_units() -> None:
    cost = count(preset("sd15"))
    assert cost.params_m == pytest.approx(859.52, abs=0.01)
    assert cost.macs_g == pytest.approx(401.6, abs=0.05)
    assert cost.to_dict()["by_block"][0]["name"] == "embedding"


def test_sharing_and_removing_never_cost_more() -> None:
    baseline = count(small())
    for name in ("shared self", "shared", "no self-attention", "no feed-forward", "separable", "no middle"):
        cost = count(SPECS[name]())
        assert cost.params < baseline.params, name
        assert cost.macs < baseline.macs, name
