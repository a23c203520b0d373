"""Small networks of diffusers, with inputs."""

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor


def diffusers_unet(linear_projection: bool = False) -> tuple[UNet2DConditionModel, dict[str, Tensor]]:
    """Four stacks of one transformer each, in eval mode, and a batch of two."""
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=24,
        norm_num_groups=8,
        attention_head_dim=4,
        use_linear_projection=linear_projection,
    )
    inputs = {
        "sample": torch.randn(2, 4, 8, 8),
        "timestep": torch.tensor([7.0, 900.0]),
        "encoder_hidden_states": torch.randn(2, 5, 24),
    }
    return unet.eval(), inputs
