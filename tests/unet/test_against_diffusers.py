"""Outputs equal diffusers' for the same weights, carried over by an explicit map of names."""

import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from archlab.architecture import AddedConditioning, UNetSpec, preset
from archlab.architecture.presets import stable_diffusion
from archlab.unet import UNet, build

# archlab's name of a module → diffusers'; {last} is the number of stages − 1, for diffusers counts up blocks upwards.
NAMES = (
    (r"added_embedding\.", "add_embedding."),
    (r"(embedding\.)linear(\d)", r"\1linear_\2"),
    (r"norm_out\.", "conv_norm_out."),
    (r"middle\.(\d+)\.residual\.", r"mid_block.resnets.\1."),
    (r"middle\.(\d+)\.transformers\.", r"mid_block.attentions.\1."),
    (r"downsample\.(\d+)\.", r"down_blocks.\1.downsamplers.0."),
    (r"upsample\.(\d+)\.", r"up_blocks.<\1>.upsamplers.0."),
    (r"down\.(\d+)\.(\d+)\.residual\.", r"down_blocks.\1.resnets.\2."),
    (r"down\.(\d+)\.(\d+)\.transformers\.", r"down_blocks.\1.attentions.\2."),
    (r"up\.(\d+)\.(\d+)\.residual\.", r"up_blocks.<\1>.resnets.\2."),
    (r"up\.(\d+)\.(\d+)\.transformers\.", r"up_blocks.<\1>.attentions.\2."),
    (r"\.time_projection\.", ".time_emb_proj."),
    (r"\.shortcut\.", ".conv_shortcut."),
    (r"\.project_(in|out)\.", r".proj_\1."),
    (r"(attentions\.\d+)\.blocks\.", r"\1.transformer_blocks."),
    (r"\.self_norm\.", ".norm1."),
    (r"\.cross_norm\.", ".norm2."),
    (r"\.ff_norm\.", ".norm3."),
    (r"\.self_attention\.", ".attn1."),
    (r"\.cross_attention\.", ".attn2."),
    (r"\.feed_forward\.expand\.", ".ff.net.0.proj."),
    (r"\.feed_forward\.contract\.", ".ff.net.2."),
    (r"(attn\d)\.query\.", r"\1.to_q."),
    (r"(attn\d)\.key\.", r"\1.to_k."),
    (r"(attn\d)\.value\.", r"\1.to_v."),
    (r"(attn\d)\.out\.", r"\1.to_out.0."),
)


def diffusers_name(name: str, stages: int) -> str:
    for pattern, replacement in NAMES:
        name = re.sub(rf"(?<![a-z_]){pattern}" if pattern[0].isalpha() else pattern, replacement, name)
    return re.sub(r"<(\d+)>", lambda match: str(stages - 1 - int(match[1])), name)


def twins(spec: UNetSpec, **config: Any) -> tuple[UNet, nn.Module]:
    """archlab's UNet and diffusers' with the same random weights; the norms' are random too."""
    theirs = UNet2DConditionModel(
        sample_size=spec.sample_size,
        in_channels=spec.in_channels,
        out_channels=spec.out_channels,
        block_out_channels=tuple(stage.channels for stage in spec.stages),
        norm_num_groups=spec.norm_groups,
        cross_attention_dim=spec.context_dim,
        **config,
    )
    if next(theirs.parameters()).device.type != "meta":
        for parameter in theirs.parameters():
            nn.init.normal_(parameter, 1.0 if parameter.ndim == 1 else 0.0, 0.1)
    ours = build(spec)
    state = theirs.state_dict()
    names = {name: diffusers_name(name, len(spec.stages)) for name in ours.state_dict()}
    assert sorted(names.values()) == sorted(state)
    carried = {name: _matrix(state[names[name]], tensor) for name, tensor in ours.state_dict().items()}
    ours.load_state_dict(carried, assign=True)
    return ours.eval(), theirs.eval()


def _matrix(weight: Tensor, like: Tensor) -> Tensor:
    """diffusers writes projections in and out as 1 × 1 convolutions or as linear layers."""
    if weight.shape == (*like.shape, 1, 1):
        return weight[:, :, 0, 0]
    assert weight.shape == like.shape
    return weight


def blocks(*kinds: str) -> dict[str, tuple[str, ...]]:
    """diffusers' block types from ``attending`` or ``plain`` per stage."""
    names = {"attending": "CrossAttn{}Block2D", "plain": "{}Block2D"}
    return {
        "down_block_types": tuple(names[kind].format("Down") for kind in kinds),
        "up_block_types": tuple(names[kind].format("Up") for kind in reversed(kinds)),
    }


COMMON: dict[str, Any] = {"sample_size": 8, "context_dim": 24, "norm_groups": 8}
CASES: dict[str, tuple[UNetSpec, dict[str, Any]]] = {
    "sd 1.5": (
        stable_diffusion(channels=(32, 64), depths=(1, 0), heads=(4, 4), **COMMON),
        {**blocks("attending", "plain"), "attention_head_dim": 4},
    ),
    "sd 2.1": (
        stable_diffusion(channels=(32, 64, 64), depths=(1, 1, 0), heads=(2, 4, 8), **COMMON),
        {
            **blocks("attending", "attending", "plain"),
            "attention_head_dim": (2, 4, 8),
            "use_linear_projection": True,
        },
    ),
    "bk-sdm base": (
        stable_diffusion(channels=(32, 64), depths=(1, 0), heads=(4, 4), down=1, up=2, **COMMON),
        {**blocks("attending", "plain"), "attention_head_dim": 4, "layers_per_block": 1},
    ),
    "bk-sdm tiny": (
        stable_diffusion(channels=(32, 64), depths=(1, 1), heads=(4, 4), down=1, up=2, middle_depth=None, **COMMON),
        {
            **blocks("attending", "attending"),
            "attention_head_dim": 4,
            "layers_per_block": 1,
            "mid_block_type": None,
        },
    ),
    "other latents": (
        replace(
            stable_diffusion(channels=(32, 32), depths=(0, 2), heads=(1, 1), middle_depth=2, **COMMON),
            in_channels=9,
            out_channels=3,
        ),
        {**blocks("plain", "attending"), "attention_head_dim": 1, "transformer_layers_per_block": (1, 2)},
    ),
    "sdxl": (
        stable_diffusion(
            channels=(32, 64, 64),
            depths=(0, 2, 3),
            heads=(1, 2, 4),
            middle_depth=3,
            added=AddedConditioning(text_dim=16, time_ids=6, time_dim=8),
            **COMMON,
        ),
        {
            **blocks("plain", "attending", "attending"),
            "attention_head_dim": (1, 2, 4),
            "transformer_layers_per_block": (1, 2, 3),
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": 16 + 6 * 8,
        },
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_outputs_equal_diffusers(name: str) -> None:
    spec, config = CASES[name]
    ours, theirs = twins(spec, **config)
    sample = torch.randn(2, spec.in_channels, spec.sample_size, spec.sample_size)
    steps = torch.tensor([3.0, 981.0])
    context = torch.randn(2, 7, spec.context_dim)
    ids = torch.tensor([[1024.0, 768, 0, 16, 1024, 1024], [512, 512, 8, 0, 768, 768]])
    added: Any = {"text_embeds": torch.randn(2, 16), "time_ids": ids} if spec.added else None
    with torch.no_grad():
        expected = theirs(sample, steps, context, added_cond_kwargs=added).sample
        actual = ours(sample, steps, context, added)
    assert expected.std() > 0.1
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


def test_gradients_equal_diffusers() -> None:
    spec, config = CASES["sd 1.5"]
    ours, theirs = twins(spec, **config)
    sample, context = torch.randn(1, 4, 8, 8), torch.randn(1, 5, 24)
    ours(sample, torch.tensor([500.0]), context).square().mean().backward()
    theirs(sample, torch.tensor([500.0]), context).sample.square().mean().backward()
    gradients = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    for name, parameter in ours.named_parameters():
        expected = gradients[diffusers_name(name, 2)]
        assert expected is not None
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, expected.reshape(parameter.shape), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("sd15", {**blocks("attending", "attending", "attending", "plain"), "attention_head_dim": 8}),
        (
            "sd21",
            {
                **blocks("attending", "attending", "attending", "plain"),
                "attention_head_dim": (5, 10, 20, 20),
                "use_linear_projection": True,
            },
        ),
        (
            "bk_sdm_tiny",
            {
                **blocks("attending", "attending", "attending"),
                "attention_head_dim": 8,
                "layers_per_block": 1,
                "mid_block_type": None,
            },
        ),
        (
            "sdxl",
            {
                **blocks("plain", "attending", "attending"),
                "attention_head_dim": (5, 10, 20),
                "transformer_layers_per_block": (1, 2, 10),
                "use_linear_projection": True,
                "addition_embed_type": "text_time",
                "addition_time_embed_dim": 256,
                "projection_class_embeddings_input_dim": 2816,
            },
        ),
    ],
)
def test_every_weight_of_a_released_model_has_its_place(name: str, config: dict[str, Any]) -> None:
    with torch.device("meta"):
        twins(preset(name), **config)
