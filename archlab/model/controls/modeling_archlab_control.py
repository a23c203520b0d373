"""Controls that diffusers has no class for, as models of diffusers.

`archlab.model.bundle` makes one self-contained file of each class and all it needs, to lie beside the weights. Here
nothing imports this module.
"""

from pathlib import Path
from typing import Any

import torch
from diffusers import ConfigMixin, ControlNetModel, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.controlnets.controlnet import ControlNetOutput
from torch import Tensor

from archlab.architecture.from_json import spec_of_json
from archlab.unet.adapter import Adapter
from archlab.unet.controlnet import ControlNet
from archlab.unet.encoder import Added


class ArchlabControlNet(ControlNetModel):  # type: ignore[misc]  # diffusers is untyped
    """A ControlNet of archlab's, called as a ``ControlNetModel`` is, which pipelines insist on that it is.

    Args:
        spec: the UNet's architecture, as JSON has it.
        factor: side of the picture by that of the latent.
        global_pool_conditions: what pipelines ask for.
    """

    __module__ = "modeling_archlab_control"  # by which a pipeline that is saved names it
    source = Path(__file__).read_bytes()  # at once: another folder's file may take the place of this one

    @register_to_config  # type: ignore[untyped-decorator]  # diffusers' own
    def __init__(self, spec: dict[str, Any], factor: int, global_pool_conditions: bool = False) -> None:
        ModelMixin.__init__(self)  # ControlNetModel's own would build Stable Diffusion's
        self.network = ControlNet(spec_of_json(spec), factor)

    def forward(  # diffusers' order of arguments
        self,
        sample: Tensor,
        timestep: Tensor | float,
        encoder_hidden_states: Tensor,
        controlnet_cond: Tensor,
        conditioning_scale: float = 1.0,
        class_labels: None = None,
        timestep_cond: Tensor | None = None,
        attention_mask: None = None,
        added_cond_kwargs: Added | None = None,
        cross_attention_kwargs: None = None,
        guess_mode: bool = False,
        return_dict: bool = True,
    ) -> Any:
        """What the UNet's skips and its middle are to be given.

        Args:
            sample: [B, C, H, W]; timestep: [B] or one for all; encoder_hidden_states: [B, L, D].
            controlnet_cond: [B, 3, factor · H, factor · W] in [0, 1].
            guess_mode: deeper skips count more, from a tenth on.
        """
        times = torch.as_tensor(timestep, device=sample.device).expand(len(sample))
        residuals = self.network(sample, times, encoder_hidden_states, controlnet_cond, added_cond_kwargs)
        given = [*residuals.skips, residuals.middle]
        weights = torch.logspace(-1, 0, len(given)).tolist() if guess_mode else [1.0] * len(given)
        *skips, middle = (x * weight * conditioning_scale for x, weight in zip(given, weights, strict=True))
        return ControlNetOutput(tuple(skips), middle) if return_dict else (tuple(skips), middle)

    def save_pretrained(self, save_directory: str | Path, *args: Any, **kwargs: Any) -> None:
        """As every model of diffusers, with this file beside the weights: without it the folder does not load."""
        super().save_pretrained(save_directory, *args, **kwargs)
        (Path(save_directory) / "modeling_archlab_control.py").write_bytes(self.source)


class ArchlabAdapter(ModelMixin, ConfigMixin):  # type: ignore[misc]  # diffusers is untyped
    """A T2I-Adapter for a UNet whose stages ``T2IAdapter`` has no layout for; called as that is.

    Args:
        spec: the UNet's architecture, as JSON has it.
        factor: side of the picture by that of the latent.
    """

    __module__ = "modeling_archlab_control"
    source = Path(__file__).read_bytes()

    @register_to_config  # type: ignore[untyped-decorator]  # diffusers' own
    def __init__(self, spec: dict[str, Any], factor: int) -> None:
        super().__init__()
        self.adapter = Adapter(spec_of_json(spec), factor)

    @property
    def downscale_factor(self) -> int:
        """Of the picture's side, before the first stage's feature."""
        return self.adapter.shrink

    @property
    def total_downscale_factor(self) -> int:
        """Of the picture's side, in the last stage's feature."""
        return self.adapter.total_shrink

    def forward(self, x: Tensor) -> list[Tensor]:
        """A feature of each stage: pictures [B, 3, H, W] in [0, 1]."""
        return list(self.adapter(x).stages)

    def save_pretrained(self, save_directory: str | Path, *args: Any, **kwargs: Any) -> None:
        """See `ArchlabControlNet`."""
        super().save_pretrained(save_directory, *args, **kwargs)
        (Path(save_directory) / "modeling_archlab_control.py").write_bytes(self.source)
