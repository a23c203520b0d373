"""Every knob's effect on the spec it is turned on, and that its own value changes nothing."""

from dataclasses import replace
from typing import Any, get_args

import pytest

from archlab.architecture import Block, Transformer, UNetSpec, diff, map_transformers, preset, presets
from archlab.architecture.parts import Activation, KVSharing, Normalizer
from archlab.cost import count
from archlab.errors import BadInput
from archlab.space import KNOBS, label

NO_SINGLE_VALUE = {
    ("transformers", "snapfusion"),  # more of them on the way out than on the way in
    ("conv", "snapgen"),  # also those of the outermost stage
}


def apply(name: str, value: Any, spec: UNetSpec | None = None) -> UNetSpec:
    return KNOBS[name].apply(spec or preset("sd15"), value)


def transformers(spec: UNetSpec) -> list[tuple[int, Transformer]]:
    """Every transformer with its place; the middle's is the number of stages."""
    found: list[tuple[int, Transformer]] = []

    def note(transformer: Transformer, place: int) -> Transformer:
        found.append((place, transformer))
        return transformer

    map_transformers(spec, note)
    return found


def changed(before: UNetSpec, after: UNetSpec) -> set[str]:
    """Names of the attributes that differ."""
    return {difference.where.rsplit(".", 1)[-1] for difference in diff(before, after)}


@pytest.mark.parametrize("name", KNOBS)
@pytest.mark.parametrize("baseline", presets())
def test_the_baselines_own_value_gives_back_the_baseline(name: str, baseline: str) -> None:
    spec = preset(baseline)
    value = KNOBS[name].read(spec)
    if (name, baseline) in NO_SINGLE_VALUE:
        assert value is None
    else:
        assert KNOBS[name].apply(spec, value) == spec


def test_structure_comes_before_attributes() -> None:
    structure = ["res_blocks", "channels", "width", "transformers"]
    assert list(KNOBS)[: len(structure)] == structure
    assert all(knob.meaning and name == knob.name for name, knob in KNOBS.items())


def test_own_values_of_stable_diffusion() -> None:
    values = {name: knob.read(preset("sd15")) for name, knob in KNOBS.items()}
    assert values == {
        "res_blocks": "2/3",
        "channels": (320, 640, 1280, 1280),
        "width": 1,
        "transformers": "sd",
        "self_attention": "all",
        "cross_attention": "all",
        "norm": "group",
        "conv_expansion": 2,
        "kv_sharing": "none",
        "kv_heads": "all",
        "qk_norm": "none",
        "positions": "none",
        "attention_normalizer": "softmax",
        "ff_ratio": 8,
        "ff_activation": "gelu",
        "feed_forward": "gated",
        "conv": "standard",
    }


@pytest.mark.parametrize("value", ["1/1", "1/2", "3/2", "2/4"])
def test_res_blocks(value: str) -> None:
    spec = apply("res_blocks", value)
    down, up = map(int, value.split("/"))
    assert {(len(stage.down), len(stage.up)) for stage in spec.stages} == {(down, up)}
    assert spec.middle == preset("sd15").middle
    for stage, before in zip(spec.stages, preset("sd15").stages, strict=True):
        assert set(stage.down + stage.up) == set(before.down + before.up)


def test_res_blocks_per_stage() -> None:
    spec = apply("res_blocks", ["1/1", "2/2", "1/3", "2/1"])
    assert [(len(stage.down), len(stage.up)) for stage in spec.stages] == [(1, 1), (2, 2), (1, 3), (2, 1)]
    assert KNOBS["res_blocks"].read(spec) == ("1/1", "2/2", "1/3", "2/1")


def test_bk_sdm_base_is_stable_diffusion_with_fewer_blocks() -> None:
    assert apply("res_blocks", "1/2") == preset("bk_sdm_base")


def test_channels() -> None:
    spec = apply("channels", [320, 640, 1024, 1024])
    assert [stage.channels for stage in spec.stages] == [320, 640, 1024, 1024]
    assert changed(preset("sd15"), spec) == {"channels"}


def test_width() -> None:
    assert [stage.channels for stage in apply("width", 0.5).stages] == [160, 320, 640, 640]
    assert apply("width", 0.5) == preset("sd15").scaled(width=0.5)
    assert apply("width", 1) == preset("sd15")


FLAGS = {
    "all": [True, True, True, True, True],
    "none": [False, False, False, False, False],
    "stage>=0": [True, True, True, True, True],
    "stage>=2": [False, False, True, True, True],
    "stage >= 2": [False, False, True, True, True],
    "inner": [False, False, False, True, True],
    "middle": [False, False, False, False, True],
}


@pytest.mark.parametrize("kind", ["self", "cross"])
@pytest.mark.parametrize("word", FLAGS)
def test_attention_by_word_and_by_flags(kind: str, word: str) -> None:
    # Transformers in all five places, so that every flag can be seen.
    everywhere = apply("transformers", [1, 1, 1, 1, 1])
    spec = apply(f"{kind}_attention", word, everywhere)
    for place, transformer in transformers(spec):
        assert getattr(transformer, f"{kind}_attention") is FLAGS[word][place]
    assert changed(everywhere, spec) <= {f"{kind}_attention"}
    assert apply(f"{kind}_attention", FLAGS[word], everywhere) == spec
    assert apply(f"{kind}_attention", [int(flag) for flag in FLAGS[word]], everywhere) == spec
    read = KNOBS[f"{kind}_attention"].read(spec)
    assert read in FLAGS
    assert FLAGS[str(read)] == FLAGS[word]


def test_attention_flags_that_no_word_describes() -> None:
    everywhere = apply("transformers", [1, 1, 1, 1, 1])
    flags = (True, False, True, False, True)
    assert KNOBS["self_attention"].read(apply("self_attention", flags, everywhere)) == flags


def test_attention_that_no_value_describes() -> None:
    first, second = Transformer(heads=8), Transformer(heads=8, self_attention=False)
    spec = preset("sd15")
    mixed = replace(spec, middle=(Block(transformers=(first, second)), Block()))
    assert KNOBS["self_attention"].read(mixed) is None
    assert KNOBS["ff_ratio"].read(apply("transformers", "none")) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("kv_sharing", value) for value in get_args(KVSharing)),
        *(("attention_normalizer", value) for value in get_args(Normalizer)),
        *(("ff_activation", value) for value in get_args(Activation)),
        *(("ff_ratio", value) for value in (0, 4, 6.5, 8)),
    ],
)
def test_attributes_of_every_transformer(name: str, value: Any) -> None:
    spec = apply(name, value)
    assert {getattr(transformer, name) for _, transformer in transformers(spec)} == {value}
    assert changed(preset("sd15"), spec) <= {name}
    assert KNOBS[name].read(spec) == value


def test_equal_values_of_ff_ratio_are_one_architecture() -> None:
    assert apply("ff_ratio", 8).id == preset("sd15").id
    assert apply("ff_ratio", 6).id == apply("ff_ratio", 6.0).id


def test_feed_forward_stays_gated_as_in_the_baseline() -> None:
    plain = map_transformers(preset("sd15"), lambda t, _: replace(t, ff_gated=False))
    assert not any(t.ff_gated for _, t in transformers(apply("ff_activation", "swish", plain)))
    assert all(t.ff_gated for _, t in transformers(apply("ff_activation", "swish")))


def test_separable_everywhere_but_in_the_outermost_stage() -> None:
    spec = apply("conv", "separable")
    outer, *inner = spec.stages
    assert {block.conv for block in outer.down + outer.up} == {"standard"}
    assert outer.downsample == "standard"
    for stage in inner:
        assert {block.conv for block in stage.down + stage.up} == {"separable"}
        assert {stage.downsample, stage.upsample} <= {"separable", None}
    assert {block.conv for block in spec.middle} == {"separable"}
    assert (inner[-1].downsample, inner[0].upsample) == (None, "separable")
    assert apply("conv", "standard", spec) == preset("sd15")
    assert KNOBS["conv"].read(spec) == "separable"
    assert count(spec).params < count(preset("sd15")).params


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("res_blocks", "2", "'2' is not a pair of block counts like '2/3'"),
        ("res_blocks", "2/x", "'2/x' is not a pair"),
        ("res_blocks", "-1/2", "'-1/2' is not a pair"),
        ("res_blocks", "0/1", "a stage has 1 to 16 blocks"),
        ("res_blocks", "1/17", "a stage has 1 to 16 blocks"),
        ("res_blocks", ["1/1"], "or 4 of them, one per stage"),
        ("res_blocks", 2, "takes one 'down/up' like '2/3'"),
        ("res_blocks", None, "takes one 'down/up' like '2/3'"),
        ("channels", 320, "takes 4 whole numbers"),
        ("channels", [320.0, 640, 1280, 1280], "takes 4 whole numbers"),
        ("channels", [320, 640], "4 stages need as many numbers, got 2"),
        ("channels", [320, 640, 1280, 1290], "1290 is not a positive multiple of norm_groups 32"),
        ("width", "half", "takes a factor like 0.75, not 'half'"),
        ("width", True, "takes a factor like 0.75"),
        ("width", 0, "must be a factor above 0 and up to 100 but is 0"),
        ("width", float("nan"), "must be a factor above 0 and up to 100 but is nan"),
        ("width", 1e308, "width"),
        ("transformers", "sdd", "did you mean 'sd'"),
        ("self_attention", "iner", "did you mean 'inner'"),
        ("self_attention", "stage>=4", "did you mean 'stage>="),
        ("cross_attention", [True], "5 flags"),
        ("cross_attention", [1, 1, 1, 1, 2], "5 flags"),
        ("cross_attention", None, "5 flags"),
        ("kv_sharing", "both", "valid: all, none, self"),
        ("kv_sharing", True, "valid: all, none, self"),
        ("ff_activation", "silu", "no 'silu'"),
        ("ff_activation", ["gelu"], "did you mean 'gelu'"),
        ("attention_normalizer", "softmax-relu", "did you mean 'softmax->relu'"),
        ("ff_ratio", "8", "takes a number from 0"),
        ("ff_ratio", True, "takes a number from 0"),
        ("ff_ratio", -0.5, "takes a number from 0"),
        ("ff_ratio", 1e-9, "leaves no feed-forward"),
        ("ff_ratio", float("nan"), "ff_ratio|takes a number"),
        ("ff_ratio", float("inf"), "ff_ratio|takes a number"),
        ("conv", "seperable", "did you mean 'separable'"),
        ("conv", None, "valid: separable, separable_expanded, standard"),
    ],
)
def test_value_that_a_knob_cannot_take(name: str, value: Any, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        apply(name, value)


def test_labels_are_plain() -> None:
    assert label((320, 640)) == "320 640"
    assert label((True, False, True)) == "1 0 1"
    assert label("sd") == "sd"
    assert label(6.5) == 6.5
    assert label(None) is None
