"""In from diffusers and out to diffusers: outputs and gradients stay equal."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from archlab.architecture import UNetSpec, preset
from archlab.cost import count
from archlab.unet import UNet, build, from_diffusers, to_diffusers
from archlab.unet.diffusers_names import diffusers_names

PLAIN, ATTENDING = "{}Block2D", "CrossAttn{}Block2D"
SMALL: dict[str, Any] = {
    "sample_size": 8,
    "block_out_channels": (16, 32),
    "norm_num_groups": 8,
    "cross_attention_dim": 24,
    "attention_head_dim": 4,
}


def types(*kinds: str, up: tuple[str, ...] = ()) -> dict[str, Any]:
    """Block types from the highest resolution to the lowest, the same on the way out unless ``up`` says others."""
    return {
        "down_block_types": tuple(kind.format("Down") for kind in kinds),
        "up_block_types": tuple(kind.format("Up") for kind in reversed(up or kinds)),
    }


CONFIGS: dict[str, dict[str, Any]] = {
    "sd 1.5": types(ATTENDING, PLAIN),
    "sd 2.1": {
        **types(ATTENDING, ATTENDING, PLAIN),
        "block_out_channels": (16, 32, 32),
        "attention_head_dim": (2, 4, 8),
        "use_linear_projection": True,
        "upcast_attention": True,
    },
    "sdxl": {
        **types(PLAIN, ATTENDING, ATTENDING),
        "block_out_channels": (16, 32, 32),
        "transformer_layers_per_block": (1, 2, 3),
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 16 + 6 * 8,
    },
    "sdxl refiner": {
        **types(ATTENDING, PLAIN),
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 1280 + 5 * 8,
    },
    "bk-sdm base": {**types(ATTENDING, PLAIN), "layers_per_block": 1},
    "bk-sdm tiny": {**types(ATTENDING, ATTENDING), "layers_per_block": 1, "mid_block_type": None},
    "plain middle": {**types(ATTENDING, ATTENDING), "mid_block_type": "UNetMidBlock2D"},
    "no transformer": {**types(PLAIN, PLAIN), "mid_block_type": "UNetMidBlock2D", "attention_head_dim": 5},
    "layers per stage": {**types(ATTENDING, PLAIN), "layers_per_block": [1, 3]},
    "transformers on the way out only": types(PLAIN, PLAIN, up=(ATTENDING, PLAIN)),
    "transformers on the way in only": {
        **types(ATTENDING, ATTENDING, up=(PLAIN, PLAIN)),
        "transformer_layers_per_block": (1, 2),
    },
    "depths per block": {
        **types(ATTENDING, ATTENDING),
        "transformer_layers_per_block": [1, [2, 1]],
        "reverse_transformer_layers_per_block": [[1, 2, 3], 2],
    },
    "depths that differ between the ways": {
        **types(ATTENDING, PLAIN),
        "transformer_layers_per_block": [[1, 2], 3],
        "reverse_transformer_layers_per_block": [1, [3, 1, 1]],
    },
    "depth 0": {
        **types(ATTENDING, ATTENDING),
        "transformer_layers_per_block": [0, 1],
        "use_linear_projection": True,
    },
    "only cross-attention": {**types(ATTENDING, ATTENDING), "only_cross_attention": True},
    "only cross-attention in one stage": {
        **types(ATTENDING, ATTENDING),
        "only_cross_attention": [True, False],
        "mid_block_only_cross_attention": True,
        "transformer_layers_per_block": 2,
    },
    "inpainting": {**types(ATTENDING, PLAIN), "in_channels": 9, "out_channels": 3, "sample_size": (8, 8)},
    "latent consistency": {**types(ATTENDING, PLAIN), "time_cond_proj_dim": 12},
    "latent consistency, sdxl": {
        **types(PLAIN, ATTENDING),
        "time_cond_proj_dim": 12,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 16 + 6 * 8,
    },
    "one stage": {**types(ATTENDING), "block_out_channels": (16,), "cross_attention_dim": (24,)},
    "keys without effect": {
        **types(ATTENDING, PLAIN),
        "act_fn": "swish",
        "resnet_skip_time_act": True,
        "resnet_out_scale_factor": 2.0,
        "cross_attention_norm": "layer_norm",
        "time_embedding_dim": 64,
        "addition_embed_type_num_heads": 2,
    },
}


def theirs_from(name: str) -> UNet2DConditionModel:
    """Random weights, in the norms too."""
    model = UNet2DConditionModel(**SMALL | CONFIGS[name]).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, 1.0 if parameter.ndim == 1 else 0.0, 0.1)
    return model


def outputs(spec: UNetSpec, *models: UNet | UNet2DConditionModel) -> list[Tensor]:
    """What each computes from the same inputs."""
    sample = torch.randn(2, spec.in_channels, spec.sample_size, spec.sample_size)
    steps, context = torch.tensor([3.0, 981.0]), torch.randn(2, 7, spec.context_dim)
    added: Any = spec.added and {
        "text_embeds": torch.randn(2, spec.added.text_dim),
        "time_ids": torch.randint(1025, (2, spec.added.time_ids)).float(),
    }
    guidance = None if spec.guidance_dim is None else torch.randn(2, spec.guidance_dim)
    with torch.no_grad():
        return [
            model(sample, steps, context, added, guidance)
            if isinstance(model, UNet)
            else model(sample, steps, context, timestep_cond=guidance, added_cond_kwargs=added).sample
            for model in models
        ]


@pytest.mark.parametrize("name", CONFIGS)
def test_outputs_are_equal_on_the_way_in_and_back(name: str, tmp_path: Path) -> None:
    theirs = theirs_from(name)
    spec, ours = from_diffusers(theirs)
    to_diffusers(ours, tmp_path / "unet")
    back = UNet2DConditionModel.from_pretrained(tmp_path / "unet")
    spec_again, again = from_diffusers(tmp_path / "unet")
    assert spec_again.id == spec.id
    expected, *actual = outputs(spec, theirs, ours, back, again)
    assert expected.std() > 0.1
    for output in actual:
        torch.testing.assert_close(output, expected, rtol=1e-5, atol=1e-5)


def test_guidance_may_be_left_out_as_in_diffusers() -> None:
    theirs = theirs_from("latent consistency")
    spec, ours = from_diffusers(theirs)
    sample, step, context = torch.randn(1, 4, 8, 8), torch.tensor([500.0]), torch.randn(1, 5, 24)
    torch.testing.assert_close(ours(sample, step, context), theirs(sample, step, context).sample, rtol=1e-5, atol=1e-5)
    assert not torch.equal(ours(sample, step, context, guidance=torch.ones(1, 12)), ours(sample, step, context))
    assert count(spec).params == sum(parameter.numel() for parameter in theirs.parameters())
    assert count(spec).macs - count(replace(spec, guidance_dim=None)).macs == 12 * 16  # one Linear of 12 to 16
    with pytest.raises(ValueError, match="no guidance embedding"):
        build(replace(spec, guidance_dim=None))(sample, step, context, guidance=torch.ones(1, 12))


def test_gradients_equal_diffusers() -> None:
    theirs = theirs_from("sd 1.5")
    spec, ours = from_diffusers(theirs)
    sample, step, context = torch.randn(1, 4, 8, 8), torch.tensor([500.0]), torch.randn(1, 5, 24)
    ours(sample, step, context).square().mean().backward()
    theirs(sample, step, context).sample.square().mean().backward()
    for name, their_name in diffusers_names(ours, spec).items():
        gradient, expected = ours.get_parameter(name).grad, theirs.get_parameter(their_name).grad
        assert gradient is not None
        assert expected is not None
        torch.testing.assert_close(gradient, expected.reshape(gradient.shape), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["sd15", "sd21", "sdxl", "bk_sdm_base", "bk_sdm_small", "bk_sdm_tiny"])
def test_every_weight_of_a_released_model_has_its_place(name: str) -> None:
    from archlab.architecture import from_diffusers_config, to_diffusers_config

    spec = preset(name)
    with torch.device("meta"):
        ours, theirs = build(spec), UNet2DConditionModel(**to_diffusers_config(spec))
    shapes = {their_name: ours.get_parameter(name).shape for name, their_name in diffusers_names(ours, spec).items()}
    assert shapes == {their_name: tensor.shape for their_name, tensor in theirs.state_dict().items()}
    assert from_diffusers_config(theirs.config) == spec


def test_the_weights_are_copies_in_float32_and_eval_mode() -> None:
    theirs = theirs_from("sd 1.5").half()
    _, ours = from_diffusers(theirs)
    back = to_diffusers(ours)
    assert not ours.training
    assert {parameter.dtype for model in (ours, back) for parameter in model.parameters()} == {torch.float32}
    nn.init.zeros_(theirs.conv_in.weight)
    nn.init.zeros_(back.conv_in.weight)
    assert ours.conv_in.weight.abs().sum() > 0
    assert all(parameter.requires_grad for parameter in ours.parameters())
