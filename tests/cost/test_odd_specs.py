"""Every spec that validates is counted: deep, wide, flat, and drawn at random."""

import random
import time
from dataclasses import replace
from typing import Any, get_args

import pytest
import torch

from archlab.architecture import AddedConditioning, ArchitectureError, Block, Stage, Transformer, UNetSpec, preset
from archlab.architecture.parts import Activation, Conv, KVSharing, Norm, Normalizer, QKNorm
from archlab.cost import count
from archlab.unet import build


def drawn(source: random.Random) -> UNetSpec:
    """Any architecture of up to four stages, every attribute drawn by itself."""

    def transformer(channels: int) -> Transformer:
        heads = source.choice([h for h in (1, 2, 4, 8) if channels % h == 0])
        return Transformer(
            heads=heads,
            kv_heads=source.choice(["all", *(h for h in (1, 2, 4) if heads % h == 0)]),
            qk_norm=source.choice(get_args(QKNorm)),
            positions="none" if channels // heads % 4 else source.choice(["none", "rotary"]),
            self_attention=source.random() < 0.7,
            cross_attention=source.random() < 0.7,
            kv_sharing=source.choice(get_args(KVSharing)),
            ff_ratio=source.choice([0, 1, 2.6, 8.0]),
            ff_activation=source.choice(get_args(Activation)),
            ff_gated=source.random() < 0.5,
            attention_normalizer=source.choice(get_args(Normalizer)),
        )

    def blocks(channels: int, least: int) -> tuple[Block, ...]:
        return tuple(
            Block(
                conv=source.choice(get_args(Conv)),
                transformers=tuple(transformer(channels) for _ in range(source.randrange(3))),
            )
            for _ in range(source.randint(least, 3))
        )

    channels = [4 * source.randint(1, 8) for _ in range(source.randint(1, 4))]
    halved = [source.random() < 0.7 for _ in channels[1:]]
    convs = [source.choice(get_args(Conv)) if half else None for half in halved]
    return UNetSpec(
        sample_size=8 * source.randint(1, 3),
        stages=tuple(
            Stage(channels=width, down=blocks(width, 1), up=blocks(width, 1), downsample=below, upsample=above)
            for width, below, above in zip(channels, [*convs, None], [None, *convs], strict=True)
        ),
        middle=blocks(channels[-1], 0),
        in_channels=source.randint(1, 9),
        context_dim=source.randint(1, 40),
        context_length=source.randint(1, 9),
        norm_groups=source.choice([1, 2, 4]),
        norm=source.choice(get_args(Norm)),
        conv_expansion=source.choice([1, 1.3, 2.0, 3]),
        added=source.choice([None, AddedConditioning(text_dim=5, time_ids=2, time_dim=4)]),
        guidance_dim=source.choice([None, 7]),
    )


def test_whatever_validates_has_the_modules_params() -> None:
    source = random.Random(0)
    with torch.device("meta"):
        for number in range(60):
            spec = drawn(source)
            cost = count(spec)
            assert cost.params == sum(parameter.numel() for parameter in build(spec).parameters()), number
            assert sum(of_kind.params for of_kind in cost.by_kind) == cost.params, number
            assert sum(of_kind.macs for of_kind in cost.by_kind) == cost.macs, number


def test_a_very_deep_spec_is_counted_at_once() -> None:
    stage = preset("tiny").stages[0]
    deep = replace(stage, down=stage.down * 5000, up=stage.up[:1] * 5001, downsample=None)
    started = time.perf_counter()
    cost = count(replace(preset("tiny"), stages=(deep,), middle=stage.down * 5000))
    assert len(cost.by_block) == 1 + 1 + 5000 + 5000 + 5001 + 1
    assert time.perf_counter() - started < 5


def test_the_widest_spec_is_counted_exactly() -> None:
    most = 1_000_000
    block = Block(transformers=(Transformer(heads=1, ff_ratio=1000),))
    stage = Stage(channels=most, down=(block,), up=(block,))
    spec = UNetSpec(sample_size=most, stages=(stage,), middle=(), norm_groups=1, context_length=most)
    cost = count(spec)
    # Two transformers, each QKᵀ and PV over L = 10¹² pixels and 10⁶ channels, and over 10⁶ tokens.
    assert cost.macs - cost.macs_without_attention == 2 * 2 * most * most**2 * (most**2 + most)
    assert cost.macs_g > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sample_size": 10**400}, "sample_size: must be at most 1,000,000"),
        ({"context_dim": 1_000_001}, "context_dim: must be at most 1,000,000 but is 1000001"),
        ({"added": AddedConditioning(time_ids=10**9)}, "added: text_dim, time_ids and time_dim are at most 1,000,000"),
    ],
)
def test_beyond_any_network(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        replace(preset("tiny"), **changes)


def test_channels_beyond_any_network() -> None:
    with pytest.raises(ArchitectureError, match=r"stages\[0\].channels: must be at most 1,000,000"):
        replace(preset("tiny"), stages=(replace(preset("tiny").stages[0], channels=16 * 10**400, downsample=None),))
