"""Costs by kind of operator, weights in bytes, MACs of an image."""

from typing import get_args

import pytest

from archlab.architecture import Block, Stage, Transformer, UNetSpec, preset, presets
from archlab.architecture.parts import Conv
from archlab.cost import Cost, count
from archlab.cost.cost import OperatorKind
from archlab.cost.tally import KINDS

# SD 1.x by part, from an independent count of the released model: params in millions, MACs in billions at 64 × 64.
# (Resampling has 52.5 M.)
STABLE_DIFFUSION = {
    ("residual_conv", "shortcut"): (512, 172),
    ("feed_forward",): (149, 77),
    ("self_attention_projection",): (50, 26),
    ("self_attention_product",): (0, 61),
    ("cross_attention_projection",): (44, 14),
    ("resampling",): (53, 37),
    ("stack_projection",): (25, 13),
}


def of_kinds(cost: Cost, kinds: tuple[str, ...]) -> tuple[int, int]:
    found = [part for part in cost.by_kind if part.kind in kinds]
    return sum(part.params for part in found), sum(part.macs for part in found)


@pytest.mark.parametrize("kinds", STABLE_DIFFUSION)
def test_stable_diffusion_by_part(kinds: tuple[str, ...]) -> None:
    params, macs = of_kinds(count(preset("sd15")), kinds)
    assert (round(params / 1e6), round(macs / 1e9)) == STABLE_DIFFUSION[kinds]


@pytest.mark.parametrize("name", presets())
def test_kinds_add_up_to_the_whole(name: str) -> None:
    cost = count(preset(name))
    assert sum(part.params for part in cost.by_kind) == cost.params
    assert sum(part.macs for part in cost.by_kind) == cost.macs
    _, products = of_kinds(cost, ("self_attention_product", "cross_attention_product"))
    assert cost.macs - products == cost.macs_without_attention
    assert set(KINDS) == set(get_args(OperatorKind)) >= {part.kind for part in cost.by_kind}


def smallest(conv: Conv, *transformers: Transformer) -> UNetSpec:
    """2 channels at 2 × 2 pixels, latents of one channel, one block down (with its skip dropped) and one up."""
    block = Block(conv=conv, transformers=transformers)
    stage = Stage(channels=2, down=(block,), up=(block,))
    return UNetSpec(
        sample_size=2, stages=(stage,), middle=(), in_channels=1, out_channels=1, context_dim=3, norm_groups=1
    )


@pytest.mark.parametrize(("conv", "matrices", "channels", "biases"), [
    # Embedding 2→8, 8→8: 16 + 64 weights, 16 channels, 16 biases. Convolutions in and out: 18 + 18; 2 + 1; 2 + 1.
    # Down: 3×3 of 2→2 twice: 72; 4; 4. Time 8→2: 16; 2; 2. Up, behind the skip: 3×3 of 4→2 and 2→2: 72 + 36; 4; 4.
    # Time 16; 2; 2. Shortcut 4→2: 8; 2; 2. Norms, each scale and shift: 2 + 2, 4 + 2 and 2 channels: 24.
    ("standard", 80 + 36 + 72 + 16 + 108 + 16 + 8, 16 + 3 + 6 + 8, 16 + 3 + 6 + 8 + 24),
    # Separable. Down: (18 + 4) twice: 44; 2 + 2 twice: 8; 4. Up: 36 + 8 + 18 + 4 = 66; 4 + 2 + 2 + 2 = 10; 4.
    ("separable", 80 + 36 + 44 + 16 + 66 + 16 + 8, 16 + 3 + 10 + 14, 16 + 3 + 6 + 8 + 24),
])  # fmt: skip
def test_weight_bytes_by_hand(conv: Conv, matrices: int, channels: int, biases: int) -> None:
    cost = count(smallest(conv))
    assert cost.params == matrices + biases
    assert cost.weight_bytes == {
        "fp32": 4 * (matrices + biases),
        "fp16": 2 * (matrices + biases),
        "int8": matrices + 4 * channels + 4 * biases,
    }


def test_weight_bytes_of_a_transformer_by_hand() -> None:
    # Two alike. GroupNorm and three LayerNorms: 16 vector elements. In and out 2→2: 8 weights, 4 channels, 4 biases.
    # Self: q, k, v, out 16; 8; 2. Cross: q, out 8, k and v 12; 8; 2. Feed-forward 2→16, 8→2: 32 + 16; 18; 18.
    matrices, channels, vectors = 8 + 16 + 20 + 48, 4 + 8 + 8 + 18, 16 + 4 + 2 + 2 + 18
    with_it, without = count(smallest("standard", Transformer(heads=1))), count(smallest("standard"))
    assert with_it.params - without.params == 2 * (matrices + vectors)
    assert with_it.weight_bytes["int8"] - without.weight_bytes["int8"] == 2 * (matrices + 4 * (channels + vectors))


def test_int8_is_about_a_quarter() -> None:
    sizes = count(preset("sd15")).weight_bytes
    assert sizes["fp32"] == 4 * 859_520_964
    assert 0.25 < sizes["int8"] / sizes["fp32"] < 0.252


def test_macs_per_image() -> None:
    cost = count(preset("sd15"))
    assert cost.macs_per_image(50) == 100 * cost.macs
    assert cost.macs_per_image(8, guidance=False) == 8 * cost.macs
