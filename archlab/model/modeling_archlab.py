"""`ArchlabUNet`: a UNet that diffusers cannot express, as a model of diffusers.

`archlab.model.bundle` makes one self-contained file of this class and all it needs, to lie beside the weights. Here
nothing imports this module.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.loaders import PeftAdapterMixin
from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput
from diffusers.utils import USE_PEFT_BACKEND, scale_lora_layers, unscale_lora_layers
from torch import Tensor

from archlab.architecture.from_json import spec_of_json
from archlab.unet.encoder import Added
from archlab.unet.residuals import Residuals
from archlab.unet.unet import UNet


class ArchlabUNet(UNet, ModelMixin, ConfigMixin, PeftAdapterMixin):  # type: ignore[misc]  # diffusers is untyped
    """A UNet of archlab's, called as a ``UNet2DConditionModel`` is.

    Args:
        spec: its architecture, as JSON has it. The network follows this alone.
        sample_size, in_channels, out_channels, cross_attention_dim, time_cond_proj_dim, addition_time_embed_dim: what
            pipelines ask for, by diffusers' names.
    """

    __module__ = "modeling_archlab"  # by which a pipeline that is saved names it
    source = Path(__file__).read_bytes()  # at once: another folder's file may take the place of this one

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        spec: dict[str, Any],
        sample_size: int,
        in_channels: int,
        out_channels: int,
        cross_attention_dim: int,
        time_cond_proj_dim: int | None = None,
        addition_time_embed_dim: int | None = None,
    ) -> None:
        super().__init__(spec_of_json(spec))

    def forward(  # type: ignore[override]  # diffusers' order of arguments
        self,
        sample: Tensor,
        timestep: Tensor | float,
        encoder_hidden_states: Tensor,
        timestep_cond: Tensor | None = None,
        cross_attention_kwargs: dict[str, Any] | None = None,
        added_cond_kwargs: Added | None = None,
        down_block_additional_residuals: Sequence[Tensor] | None = None,
        mid_block_additional_residual: Tensor | None = None,
        down_intrablock_additional_residuals: Sequence[Tensor] | None = None,
        return_dict: bool = True,
    ) -> UNet2DConditionOutput | tuple[Tensor]:
        """Predict from a latent, its time and its text.

        Args:
            sample: [B, C, H, W]; timestep: [B] or one for all; encoder_hidden_states: [B, L, D].
            timestep_cond: [B, time_cond_proj_dim], the embedded guidance scale of an LCM.
            cross_attention_kwargs: ``scale`` of the LoRA, and nothing else.
            added_cond_kwargs: SDXL's ``text_embeds`` and ``time_ids``.
            down_block_additional_residuals, mid_block_additional_residual: of a ControlNet.
            down_intrablock_additional_residuals: of a T2I-Adapter.
        """
        residuals = Residuals(
            skips=tuple(down_block_additional_residuals or ()),
            middle=mid_block_additional_residual,
            stages=tuple(down_intrablock_additional_residuals or ()),
        )
        lora_scale = _lora_scale(cross_attention_kwargs or {})
        times = torch.as_tensor(timestep, device=sample.device).expand(len(sample))
        if USE_PEFT_BACKEND:
            scale_lora_layers(self, lora_scale)
        try:
            out = super().forward(sample, times, encoder_hidden_states, added_cond_kwargs, timestep_cond, residuals)
        finally:
            if USE_PEFT_BACKEND:
                unscale_lora_layers(self, lora_scale)
        return UNet2DConditionOutput(sample=out) if return_dict else (out,)

    def save_pretrained(self, save_directory: str | Path, *args: Any, **kwargs: Any) -> None:
        """As every model of diffusers, with this file beside the weights: without it the folder does not load."""
        super().save_pretrained(save_directory, *args, **kwargs)
        (Path(save_directory) / "modeling_archlab.py").write_bytes(self.source)


def _lora_scale(arguments: dict[str, Any]) -> float:
    if unknown := set(arguments) - {"scale"}:
        raise ValueError(f"cross_attention_kwargs of ArchlabUNet: scale alone, not {sorted(unknown)}")
    return float(arguments.get("scale", 1.0))
