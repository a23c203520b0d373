"""What files of LoRA call a UNet's layers: by diffusers' names where diffusers can express it, else by its own."""

import torch

from archlab.architecture import UNetSpec, diffusers_obstacles
from archlab.errors import BadInput
from archlab.unet.diffusers_names import diffusers_names
from archlab.unet.unet import build

_MATRIX = 2  # dimensions of a weight that can have a low rank


def names_in_files(spec: UNetSpec) -> dict[str, str]:
    """The name in diffusers' form by the UNet's own, for each layer that can have a LoRA."""
    with torch.device("meta"):
        unet = build(spec)
    weights = {
        name: f"{name}.weight"
        for name, module in unet.named_modules()
        if getattr(module, "weight", None) is not None and module.weight.ndim >= _MATRIX
    }
    if diffusers_obstacles(spec):
        return {layer: layer for layer in weights}
    theirs = diffusers_names(unet, spec)
    return {layer: theirs[weight].removesuffix(".weight") for layer, weight in weights.items()}


def kohya_names(spec: UNetSpec) -> dict[str, str]:
    """The name in kohya's form by the UNet's own.

    Raises:
        BadInput: diffusers cannot express the network, whose names these are.
    """
    if obstacles := diffusers_obstacles(spec):
        raise BadInput(
            "kohya's form has names for the layers of diffusers' UNet2DConditionModel alone, which has no place for: "
            f"{'; '.join(obstacles)}; take diffusers' form, which loads with the model's own class"
        )
    return {ours: f"lora_unet_{theirs.replace('.', '_')}" for ours, theirs in names_in_files(spec).items()}
