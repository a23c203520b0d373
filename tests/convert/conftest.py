"""Small UNets that between them have every value of every knob."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from archlab.architecture import (
    AddedConditioning,
    Block,
    Transformer,
    UNetSpec,
    map_blocks,
    map_transformers,
    preset,
)
from archlab.architecture.parts import Activation, Normalizer
from archlab.convert import FlatInputs, example_inputs, to_tflite
from archlab.unet import UNet, build
from archlab.unet.norms import RMSNorm


def small() -> UNetSpec:
    """The tiny preset with two stages' worth of work and 8 × 8 latents."""
    spec = preset("tiny").scaled(width=0.25, sample_size=8)
    return replace(
        spec,
        context_dim=32,
        context_length=7,
        stages=tuple(replace(stage, down=stage.down[:1], up=stage.up[:1]) for stage in spec.stages),
    )


def activation(name: Activation, gated: bool = True) -> UNetSpec:
    return map_transformers(small(), lambda t, _: replace(t, ff_activation=name, ff_gated=gated))


def normalizer(name: Normalizer) -> UNetSpec:
    return map_transformers(small(), lambda t, _: replace(t, attention_normalizer=name))


def _separable() -> UNetSpec:
    spec = map_blocks(small(), lambda block, place: replace(block, conv="separable" if place else "standard"))
    first, *others = spec.stages
    separable = (
        replace(s, downsample=s.downsample and "separable", upsample=s.upsample and "separable") for s in others
    )
    return replace(spec, stages=(first, *separable))


SPECS = {
    "baseline": small(),
    "gelu_tanh": activation("gelu_tanh"),
    "swish": activation("swish"),
    "relu": activation("relu"),
    "hardswish": activation("hardswish"),
    "mish": activation("mish"),
    "not_gated": activation("gelu", gated=False),
    "mish_not_gated": activation("mish", gated=False),
    "relu_attention": normalizer("relu"),
    "finetuned_relu_attention": normalizer("softmax->relu"),
    "kv_sharing_self": map_transformers(small(), lambda t, _: replace(t, kv_sharing="self")),
    "kv_sharing_all": map_transformers(small(), lambda t, _: replace(t, kv_sharing="all")),
    "ff_ratio": map_transformers(small(), lambda t, _: replace(t, ff_ratio=5)),
    "no_feed_forward": map_transformers(small(), lambda t, _: replace(t, ff_ratio=0)),
    "no_self_attention": map_transformers(small(), lambda t, _: replace(t, self_attention=False)),
    "no_cross_attention": map_transformers(small(), lambda t, _: replace(t, cross_attention=False)),
    "no_transformers": map_blocks(small(), lambda block, _: Block()),
    "two_deep": map_blocks(
        small(), lambda block, place: Block(transformers=(Transformer(heads=2),) * (place == 1) * 2)
    ),
    "separable": _separable(),
    "no_middle": replace(small(), middle=()),
    "full_block_counts": preset("tiny").scaled(width=0.25, sample_size=8),
    "added": replace(small(), added=AddedConditioning(text_dim=16, time_ids=6, time_dim=8)),
}


def _mixed(*transformers: Transformer) -> UNetSpec:
    """The small UNet with these transformers in its places for one, taken in turn."""
    given = itertools.cycle(transformers)
    return map_transformers(small(), lambda _, __: next(given))


ACTIVATIONS = _mixed(
    Transformer(heads=2, ff_activation="gelu_tanh"),
    Transformer(heads=2, ff_activation="swish", kv_sharing="self"),
    Transformer(heads=2, ff_activation="relu", kv_sharing="all"),
    Transformer(heads=2, ff_activation="hardswish", ff_ratio=5),
    Transformer(heads=2, ff_activation="mish"),
)
REMOVALS = _mixed(
    Transformer(heads=2, attention_normalizer="relu"),
    Transformer(heads=2, self_attention=False, ff_activation="mish", ff_gated=False),
    Transformer(heads=2, cross_attention=False, ff_gated=False),
    Transformer(heads=2, ff_ratio=0, attention_normalizer="softmax->relu"),
)
SUCCESSORS = replace(
    map_blocks(
        _mixed(
            Transformer(heads=2, kv_heads=1, positions="rotary"),
            Transformer(heads=4, kv_heads=2, qk_norm="rms", attention_normalizer="relu"),
            Transformer(heads=4, kv_heads=1, kv_sharing="all", qk_norm="rms", positions="rotary", ff_gated=False),
        ),
        lambda block, place: replace(block, conv="separable_expanded" if place else "standard"),
    ),
    norm="rms",
    conv_expansion=1.5,
)
MIXTURES = {  # every value of every knob in few conversions
    "baseline": small(),
    "activations_and_sharing": ACTIVATIONS,
    "removals_separable_added": replace(
        map_blocks(REMOVALS, lambda block, place: replace(block, conv="separable" if place else "standard")),
        added=AddedConditioning(text_dim=16, time_ids=6, time_dim=8),
    ),
    "no_transformers": SPECS["no_transformers"],
    "successors": SUCCESSORS,
}
SPECS |= MIXTURES


@pytest.fixture(params=SPECS)
def knob(request: pytest.FixtureRequest) -> str:
    """The name of one of the specs."""
    name: str = request.param
    return name


@pytest.fixture(params=MIXTURES)
def mixture(request: pytest.FixtureRequest) -> str:
    """The name of one of the few specs that have all knob values between them."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def make_unet() -> Callable[[str], UNet]:
    """A UNet by its spec's name, with random weights: the norms' too, or their scale and shift would not be seen."""

    def make(name: str) -> UNet:
        torch.manual_seed(0)
        unet = build(SPECS[name])
        with torch.no_grad():
            for part in unet.modules():
                if isinstance(part, torch.nn.GroupNorm | torch.nn.LayerNorm | RMSNorm):
                    part.weight.normal_(1, 0.2)
                    if part.bias is not None:
                        part.bias.normal_(0, 0.2)
        return unet

    return make


@pytest.fixture(scope="session")
def tflite_file(tmp_path_factory: pytest.TempPathFactory, make_unet: Callable[[str], UNet]) -> Callable[[str], Path]:
    """The converted file by its spec's name; each is converted once."""
    folder = tmp_path_factory.mktemp("tflite")

    def convert(name: str) -> Path:
        path = folder / f"{name}.tflite"
        if not path.exists():
            unet = make_unet(name)
            to_tflite(FlatInputs(unet), example_inputs(unet.spec), path)
        return path

    return convert
