import itertools
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from archlab.architecture import (
    AddedConditioning,
    ArchitectureError,
    Block,
    Stage,
    Transformer,
    UNetSpec,
    map_blocks,
    map_transformers,
    preset,
    presets,
)
from archlab.errors import BadInput


def transformers(spec: UNetSpec, **changes: Any) -> UNetSpec:
    return map_transformers(spec, lambda t, _: replace(t, **changes))


def stage(spec: UNetSpec, index: int, **changes: Any) -> UNetSpec:
    stages = list(spec.stages)
    stages[index] = replace(stages[index], **changes)
    return replace(spec, stages=tuple(stages))


PROBLEMS: dict[str, tuple[Callable[[UNetSpec], UNetSpec], str]] = {
    "heads": (
        lambda s: transformers(s, heads=5),
        "down.1.0.transformers[0]: 5 heads do not divide 64 channels",
    ),
    "no heads": (lambda s: transformers(s, heads=0), "down.1.0.transformers[0]: 0 heads do not divide 64 channels"),
    "groups": (
        lambda s: stage(s, 1, channels=60),
        "stages[1].channels: 60 is not a positive multiple of norm_groups 8",
    ),
    "no channels": (
        lambda s: stage(s, 0, channels=0),
        "stages[0].channels: 0 is not a positive multiple of norm_groups 8",
    ),
    "odd channels": (
        lambda s: stage(replace(s, norm_groups=1), 0, channels=33),
        "stages[0].channels: 33 is odd, the time embedding needs an even number",
    ),
    "odd size": (
        lambda s: replace(s, sample_size=7),
        "sample_size: 7 cannot be halved 1 times; take a multiple of 2",
    ),
    "no size": (lambda s: replace(s, sample_size=0), "sample_size: must be at least 1 but is 0"),
    "no groups": (lambda s: replace(s, norm_groups=0), "norm_groups: must be at least 1 but is 0"),
    "no input": (lambda s: replace(s, in_channels=0), "in_channels: must be at least 1 but is 0"),
    "no output": (lambda s: replace(s, out_channels=-1), "out_channels: must be at least 1 but is -1"),
    "no context width": (lambda s: replace(s, context_dim=0), "context_dim: must be at least 1 but is 0"),
    "no tokens": (lambda s: replace(s, context_length=0), "context_length: must be at least 1 but is 0"),
    "no stages": (lambda s: replace(s, stages=()), "stages: at least one is needed"),
    "down without up": (
        lambda s: stage(s, 1, upsample=None),
        "stages[0].downsample and stages[1].upsample: both or neither",
    ),
    "up without down": (
        lambda s: stage(s, 0, downsample=None),
        "stages[0].downsample and stages[1].upsample: both or neither",
    ),
    "up from the first": (
        lambda s: stage(s, 0, upsample="standard"),
        "stages[0].upsample: there is no stage above the first",
    ),
    "down from the last": (
        lambda s: stage(s, 1, downsample="separable"),
        "stages[1].downsample: there is no stage below the last",
    ),
    "no down blocks": (lambda s: stage(s, 0, down=()), "stages[0]: needs at least one down and one up block"),
    "no up blocks": (lambda s: stage(s, 1, up=()), "stages[1]: needs at least one down and one up block"),
    "negative feed-forward": (
        lambda s: transformers(s, ff_ratio=-1),
        "down.1.0.transformers[0]: ff_ratio -1 leaves no feed-forward at 64 channels; take 0 or more",
    ),
    "empty feed-forward": (
        lambda s: transformers(s, ff_ratio=0.01),
        "down.1.0.transformers[0]: ff_ratio 0.01 leaves no feed-forward at 64 channels; take 0 or more",
    ),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_what_cannot_be_built_is_refused_with_its_reason(name: str, small: UNetSpec) -> None:
    change, reason = PROBLEMS[name]
    with pytest.raises(ArchitectureError) as caught:
        change(small)
    assert str(caught.value) == reason


@pytest.mark.parametrize("ratio", [float("nan"), float("inf"), -float("inf")])
def test_feed_forward_ratio_that_is_no_number_is_refused(ratio: float, small: UNetSpec) -> None:
    with pytest.raises(BadInput, match="ff_ratio"):
        transformers(small, ff_ratio=ratio)


@pytest.mark.parametrize("added", [{"time_dim": 5}, {"time_dim": 0}, {"text_dim": -8}, {"time_ids": -1}])
def test_added_conditioning_that_cannot_be_built_is_refused(added: dict[str, int], small: UNetSpec) -> None:
    with pytest.raises(ArchitectureError, match="added"):
        replace(small, added=AddedConditioning(**added))


def test_spec_is_frozen(small: UNetSpec) -> None:
    with pytest.raises(FrozenInstanceError):
        small.sample_size = 16  # type: ignore[misc]  # what the test is about


def test_ids_of_equal_networks_are_equal(small: UNetSpec) -> None:
    no_attention = {"self_attention": False, "cross_attention": False}
    pairs: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"ff_ratio": 8}, {"ff_ratio": 8.0}),
        ({"ff_ratio": 0, "ff_activation": "relu"}, {"ff_ratio": 0}),
        ({"ff_ratio": 0, "ff_gated": False}, {"ff_ratio": 0}),
        (no_attention | {"heads": 2}, no_attention | {"heads": 4}),
        (no_attention | {"attention_normalizer": "relu"}, no_attention),
        (no_attention | {"kv_sharing": "all"}, no_attention),
        ({"self_attention": False, "kv_sharing": "self"}, {"self_attention": False}),
        ({"cross_attention": False, "kv_sharing": "all"}, {"cross_attention": False, "kv_sharing": "self"}),
    ]
    for one, other in pairs:
        assert transformers(small, **one).id == transformers(small, **other).id, (one, other)


def test_ids_of_different_networks_differ(small: UNetSpec) -> None:
    attributes: list[dict[str, Any]] = [
        {"heads": 2},
        {"self_attention": False},
        {"cross_attention": False},
        {"kv_sharing": "self"},
        {"kv_sharing": "all"},
        {"self_attention": False, "kv_sharing": "all"},
        {"ff_ratio": 7},
        {"ff_ratio": 0},
        {"ff_gated": False},
        {"ff_activation": "swish"},
        {"ff_activation": "gelu_tanh"},
        {"attention_normalizer": "relu"},
        {"attention_normalizer": "softmax->relu"},
    ]
    specs = [
        small,
        *(transformers(small, **changes) for changes in attributes),
        replace(small, sample_size=16),
        replace(small, in_channels=1),
        replace(small, out_channels=1),
        replace(small, context_dim=1),
        replace(small, context_length=1),
        replace(small, norm_groups=4),
        replace(small, added=AddedConditioning()),
        replace(small, middle=()),
        stage(small, 0, channels=64),
        stage(small, 0, downsample="separable"),
        stage(small, 1, upsample="separable"),
        stage(small, 0, down=(Block(), Block())),
        map_blocks(small, lambda block, _: replace(block, conv="separable")),
    ]
    for one, other in itertools.combinations(specs, 2):
        assert one.id != other.id
    assert len({preset(name).id for name in presets()}) == len(presets())


def test_transformers_without_any_part_are_the_same_network_however_many(small: UNetSpec) -> None:
    nothing = Transformer(heads=4, self_attention=False, cross_attention=False, ff_ratio=0)
    one = map_blocks(small, lambda block, _: replace(block, transformers=(nothing,)))
    two = map_blocks(small, lambda block, _: replace(block, transformers=(nothing, nothing)))
    assert one.id == two.id


def test_id_does_not_change_between_releases() -> None:
    # Evaluations are cached under it: a new value here throws away everybody's cache.
    assert preset("sd15").id == "a8548412d28b"


def test_deployed_is_relu_where_trained_with_softmax_then_relu(small: UNetSpec) -> None:
    finetuned = transformers(small, attention_normalizer="softmax->relu")
    assert finetuned.deployed == transformers(small, attention_normalizer="relu")
    assert small.deployed == small


@pytest.mark.parametrize(("gated", "width"), [(True, 128), (False, 256)])
def test_feed_forward_ratio_is_that_of_the_first_projection(gated: bool, width: int) -> None:
    # SD's GEGLU: the first projection is 8 × channels, the gate halves it. 8 × 32 = 256.
    assert Transformer(heads=1, ff_gated=gated).ff_width(32) == width


def test_map_blocks_sees_every_block_with_its_place(small: UNetSpec) -> None:
    seen = []

    def note(block: Block, place: int) -> Block:
        seen.append(place)
        return block

    assert map_blocks(small, note) == small
    assert sorted(seen) == [0, 0, 0, 1, 1, 1, 2, 2]


def test_stage_that_keeps_the_resolution_is_valid(small: UNetSpec) -> None:
    flat = Stage(channels=64, down=(Block(),), up=(Block(),))
    spec = replace(small, stages=(*small.stages, flat))
    assert spec.sample_size == 8
