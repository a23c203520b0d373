"""UNets in from diffusers and out to diffusers, weights and all."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from archlab.architecture import UNetSpec, from_diffusers_config, load_diffusers, to_diffusers_config
from archlab.architecture.files import unet_folder
from archlab.errors import BadInput
from archlab.files import atomic_folder
from archlab.unet.diffusers_names import diffusers_names
from archlab.unet.diffusers_weights import read_weights
from archlab.unet.unet import UNet, build
from archlab.unet.weights import copied, with_weights

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel


def from_diffusers(unet: "UNet2DConditionModel | str | Path") -> tuple[UNetSpec, UNet]:
    """The spec and the module of a diffusers UNet, with copies of its weights in float32 and equal outputs.

    Args:
        unet: a ``UNet2DConditionModel``, its folder, or the folder of a pipeline that has one. Of a folder only JSON
            and safetensors are read.

    Returns:
        The spec, with diffusers' sample size and a context of 77 tokens, and the module in eval mode, as diffusers
        loads it.

    Raises:
        BadInput: no such network, one a spec cannot express, or weights that are damaged, absent or not finite.
    """
    if isinstance(unet, (str, Path)):
        spec, folder = load_diffusers(unet), unet_folder(unet)
        return spec, _with_weights(spec, read_weights(folder), f"{folder}: ")
    if not hasattr(unet, "config"):
        raise BadInput(f"from_diffusers: takes a UNet2DConditionModel or its folder, not {type(unet).__name__}")
    spec = from_diffusers_config(unet.config)
    return spec, _with_weights(spec, unet.state_dict(), "")


def to_diffusers(unet: UNet, folder: str | Path | None = None) -> "UNet2DConditionModel":
    """The UNet as diffusers' ``UNet2DConditionModel``, with copies of its weights, equal outputs, in eval mode.

    With ``folder`` it is written there too, whole or not at all, for ``UNet2DConditionModel.from_pretrained(folder)``;
    an older UNet at that place is replaced.

    Raises:
        BadInput: ``unet`` is no `UNet`, diffusers cannot express its architecture (the message has all reasons), or
            ``folder`` is something else than a diffusers UNet.
    """
    from diffusers import UNet2DConditionModel

    if not isinstance(unet, UNet):
        raise BadInput(f"to_diffusers: takes a UNet that archlab built, not {type(unet).__name__}")
    config = to_diffusers_config(unet.spec)
    with torch.device("meta"):
        model = UNet2DConditionModel(**config)
    weights = {theirs: unet.get_parameter(ours) for ours, theirs in diffusers_names(unet, unet.spec).items()}
    model.load_state_dict({name: copied(tensor) for name, tensor in weights.items()}, assign=True)
    model.eval()
    if folder is not None:
        _save(model, Path(folder))
    return model


def _with_weights(spec: UNetSpec, weights: Mapping[str, Tensor], where: str) -> UNet:
    """The UNet with diffusers' tensors; ``where`` begins the message about one that is wrong."""
    with torch.device("meta"):
        unet = build(spec)
    return with_weights(unet, weights, diffusers_names(unet, spec), where)


def _save(model: "UNet2DConditionModel", folder: Path) -> None:
    if folder.exists() and not (folder / "config.json").is_file():
        raise BadInput(f"{folder}: exists and is not a diffusers UNet; name another folder")
    with atomic_folder(folder) as temporary:
        model.save_pretrained(temporary)
