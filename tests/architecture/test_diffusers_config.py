"""Which configs of diffusers' UNet2DConditionModel are specs, which specs are such configs, and what is said else."""

import inspect
import json
from dataclasses import replace
from typing import Any

import pytest
from diffusers import UNet2DConditionModel

from archlab.architecture import (
    AddedConditioning,
    ArchitectureError,
    Block,
    Transformer,
    UNetSpec,
    diffusers_obstacles,
    from_diffusers_config,
    map_blocks,
    map_transformers,
    preset,
    to_diffusers_config,
)
from archlab.architecture.diffusers_keys import KEYS

TEXT_TIME = {"addition_embed_type": "text_time", "addition_time_embed_dim": 256}


def refusal(**config: Any) -> str:
    with pytest.raises(ArchitectureError) as caught:
        from_diffusers_config({"sample_size": 64} | config)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 250
    return message


def test_absent_keys_have_the_defaults_of_diffusers() -> None:
    arguments = inspect.signature(UNet2DConditionModel.__init__).parameters
    theirs = {name: argument.default for name, argument in arguments.items() if name != "self"}
    assert {key: known.default for key, known in KEYS.items()} == theirs
    assert from_diffusers_config({"sample_size": 64}) == replace(preset("sd15"), context_dim=1280)


@pytest.mark.parametrize(
    ("key", "value", "right"),
    [
        ("act_fn", "mish", "'silu' or 'swish'"),
        ("norm_eps", 1e-6, "1e-05"),
        ("norm_num_groups", None, "whole number"),
        ("norm_num_groups", 24, "divide all block_out_channels [320, 640, 1280, 1280]"),
        ("class_embed_type", "timestep", "None"),
        ("num_class_embeds", 1000, "None"),
        ("time_cond_proj_dim", 0, "a whole number from 1"),
        ("time_cond_proj_dim", "256", "a whole number from 1"),
        ("dual_cross_attention", True, "False"),
        ("encoder_hid_dim", 4096, "None"),
        ("encoder_hid_dim_type", "text_proj", "None"),
        ("resnet_time_scale_shift", "scale_shift", "'default'"),
        ("flip_sin_to_cos", False, "True"),
        ("freq_shift", 1, "0"),
        ("conv_in_kernel", 1, "3"),
        ("conv_out_kernel", 1, "3"),
        ("time_embedding_type", "fourier", "'positional'"),
        ("time_embedding_dim", 512, "None or 4 times the first of block_out_channels, 1280"),
        ("time_embedding_act_fn", "silu", "None"),
        ("timestep_post_act", "silu", "None"),
        ("downsample_padding", 0, "1"),
        ("mid_block_scale_factor", 1.4, "1"),
        ("dropout", 0.1, "0"),
        ("center_input_sample", True, "False"),
        ("class_embeddings_concat", True, "False"),
        ("attention_type", "gated", "'default'"),
        ("num_attention_heads", 8, "None"),
        ("addition_embed_type", "text", "None or 'text_time'"),
        ("mid_block_type", "UNetMidBlock2DSimpleCrossAttn", "'UNetMidBlock2DCrossAttn' or 'UNetMidBlock2D' or None"),
        ("down_block_types", ["AttnDownBlock2D"] * 4, "DownBlock2D or CrossAttnDownBlock2D"),
        ("up_block_types", ["UpBlock2D"] * 3, "block_out_channels has 4"),
        ("up_block_types", "UpBlock2D", "a list"),
        ("block_out_channels", [], "one entry for each stage"),
        ("block_out_channels", [320, "640"], "whole number"),
        ("layers_per_block", 0, "whole number from 1"),
        ("layers_per_block", True, "whole number from 1"),
        ("layers_per_block", [2, 2], "block_out_channels has 4"),
        ("layers_per_block", 10**12, "whole number from 1 to 1000"),
        ("transformer_layers_per_block", -1, "whole number from 0"),
        ("transformer_layers_per_block", [1, [1], 1, 1], "each of its 2 blocks"),
        ("transformer_layers_per_block", [1, [1, 1], 1, 1], "each of its 3 blocks"),
        ("reverse_transformer_layers_per_block", 2, "a list"),
        ("attention_head_dim", 7, "the number of heads and must divide the 320 channels of stage 0"),
        ("attention_head_dim", [8, 8, 8, None], "whole number"),
        ("only_cross_attention", "yes", "true or false"),
        ("cross_attention_dim", [768, 768, 1024, 768], "must have the same"),
        ("cross_attention_dim", None, "whole number"),
        ("sample_size", None, "whole number"),
        ("sample_size", [64, 96], "square"),
        ("sample_size", float("nan"), "whole number"),
        ("sample_size", 60, "take a multiple of 8"),
        ("in_channels", "4", "whole number"),
        ("_class_name", "UNet2DModel", "UNet2DConditionModel"),
        ("quantization_config", {"load_in_4bit": True}, "no such key"),
        ("a\nkey", "a\nvalue", "no such key"),
    ],
)
def test_a_config_no_spec_can_express_is_refused_with_its_key(key: str, value: Any, right: str) -> None:
    message = refusal(**{key: value})
    assert message.startswith(f"{key}: " if key.isidentifier() else repr(key))
    assert right in message


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"addition_time_embed_dim": None, "projection_class_embeddings_input_dim": 2816}, "addition_time_embed_dim"),
        ({"addition_time_embed_dim": 9, "projection_class_embeddings_input_dim": 2816}, "addition_time_embed_dim"),
        ({}, "projection_class_embeddings_input_dim"),
        ({"projection_class_embeddings_input_dim": 1500}, "projection_class_embeddings_input_dim"),
    ],
)
def test_bad_added_conditioning_is_refused(config: dict[str, Any], key: str) -> None:
    assert refusal(**TEXT_TIME | config).startswith(f"{key}: ")


@pytest.mark.parametrize(
    ("width", "added"),
    [(2816, AddedConditioning()), (2560, AddedConditioning(time_ids=5)), (2304, AddedConditioning(time_ids=4)),
     (768 + 6 * 256, AddedConditioning(time_ids=4)), (2000, AddedConditioning(text_dim=464))],
    ids=["sdxl", "refiner", "four ids", "a text of 768 looks like one of 1280", "six ids otherwise"],
)  # fmt: skip
def test_widths_of_added_conditioning_are_told_apart(width: int, added: AddedConditioning) -> None:
    config = {"sample_size": 64, **TEXT_TIME, "projection_class_embeddings_input_dim": width}
    assert from_diffusers_config(config).added == added


@pytest.mark.parametrize(
    "extra", [{"_name_or_path": "x", "_diffusers_version": "0.6"}, {"decay": 0.9999, "power": 0.7}]
)
def test_notes_of_diffusers_and_of_its_ema_change_nothing(extra: dict[str, Any]) -> None:
    assert from_diffusers_config({"sample_size": 64, **extra}) == from_diffusers_config({"sample_size": 64})


def test_a_context_width_that_no_transformer_reads_may_differ() -> None:
    config = {"sample_size": 64, "cross_attention_dim": [768, 768, 768, 1], "mid_block_type": "UNetMidBlock2D"}
    assert from_diffusers_config(config).context_dim == 768


@pytest.mark.parametrize("name", ["tiny", "sd15", "sd21", "sdxl", "bk_sdm_base", "bk_sdm_small", "bk_sdm_tiny"])
def test_a_preset_in_diffusers_pattern_comes_back(name: str) -> None:
    config = json.loads(json.dumps(to_diffusers_config(preset(name))))
    assert from_diffusers_config(config) == preset(name)


def test_released_configs_look_as_released() -> None:
    sd15, sdxl = to_diffusers_config(preset("sd15")), to_diffusers_config(preset("sdxl"))
    assert (sd15["layers_per_block"], sd15["attention_head_dim"], sd15["transformer_layers_per_block"]) == (2, 8, 1)
    assert sdxl["transformer_layers_per_block"] == [1, 2, 10]
    assert sdxl["attention_head_dim"][1:] == [10, 20]
    assert sdxl["projection_class_embeddings_input_dim"] == 2816


def with_transformers(spec: UNetSpec, **change: Any) -> UNetSpec:
    return map_transformers(spec, lambda transformer, _: replace(transformer, **change))


def with_stage(spec: UNetSpec, index: int, **change: Any) -> UNetSpec:
    stages = list(spec.stages)
    stages[index] = replace(stages[index], **change)
    return replace(spec, stages=tuple(stages))


ATTENDING = Block(transformers=(Transformer(heads=4),))
OBSTACLES: dict[str, Any] = {
    "separable convolutions (down.1.0, middle.0, up.1.0 and 1 more)": lambda s: map_blocks(
        s, lambda block, _: replace(block, conv="separable") if block.transformers else block
    ),
    "separable resampling (stages[0])": lambda s: with_stage(s, 0, downsample="separable"),
    "shared keys and values (down.1.0": lambda s: with_transformers(s, kv_sharing="self"),
    "attention with relu (down.1.0": lambda s: with_transformers(s, attention_normalizer="relu"),
    "attention with softmax->relu (": lambda s: with_transformers(s, attention_normalizer="softmax->relu"),
    "an ff_ratio other than 8 (": lambda s: with_transformers(s, ff_ratio=6),
    "a feed-forward without a gate (": lambda s: with_transformers(s, ff_gated=False),
    "a feed-forward with swish (": lambda s: with_transformers(s, ff_activation="swish"),
    "transformers other than self-": lambda s: with_transformers(s, self_attention=False),
    "feed-forward (down.1.0, middle.0, up.1.0 and 1 more)": lambda s: with_transformers(s, ff_ratio=0),
    "up blocks that are not one more than the down blocks (stages[0])": lambda s: with_stage(s, 0, up=(Block(),)),
    "no halving to the next stage (stages[0])": lambda s: replace(
        s, stages=(replace(s.stages[0], downsample=None), replace(s.stages[1], upsample=None))),
    "blocks with and without transformers on one side of a stage (stages[0])": lambda s: with_stage(
        s, 0, up=(ATTENDING, Block())),
    "self-attention in some transformers of a stage only (stages[1])": lambda s: with_stage(
        s, 1, down=(Block(transformers=(Transformer(heads=4, self_attention=False, ff_ratio=0),
                                        Transformer(heads=4, self_attention=False))),)),
    "different numbers of heads in one stage or in the last stage and the middle (stages[1])": lambda s: replace(
        s, middle=(Block(transformers=(Transformer(heads=8),)), Block())),
    "a middle other than one block without transformers, or one with and then one without (middle)": lambda s: replace(
        s, middle=(ATTENDING,)),
    "a middle without self-attention (middle)": lambda s: replace(
        s, middle=(Block(transformers=(Transformer(heads=4, self_attention=False, ff_ratio=0),
                                       Transformer(heads=4, self_attention=False))), Block())),
    "more or fewer transformers than in the first down block of the last stage (middle)": lambda s: replace(
        s, middle=(Block(transformers=(Transformer(heads=4),) * 2), Block())),
}  # fmt: skip


@pytest.mark.parametrize("reason", OBSTACLES)
def test_what_diffusers_cannot_express_is_said_with_its_place(small: UNetSpec, reason: str) -> None:
    assert diffusers_obstacles(small) == []
    spec = OBSTACLES[reason](small)
    assert len(diffusers_obstacles(spec)) == 1
    assert reason in diffusers_obstacles(spec)[0]


def test_all_reasons_are_in_one_line(small: UNetSpec) -> None:
    spec = with_transformers(replace(small, middle=(ATTENDING,)), kv_sharing="all", ff_ratio=4)
    with pytest.raises(ArchitectureError) as caught:
        to_diffusers_config(spec)
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in ("shared keys and values", "ff_ratio", "a middle other than"))


def test_attributes_without_effect_are_no_obstacle(small: UNetSpec) -> None:
    split = (Transformer(heads=4, cross_attention=False, ff_ratio=0, ff_activation="swish"),
             Transformer(heads=4, self_attention=False, kv_sharing="self"))  # fmt: skip
    spec = map_blocks(small, lambda block, _: replace(block, transformers=split) if block.transformers else block)
    assert to_diffusers_config(spec) == to_diffusers_config(small)
