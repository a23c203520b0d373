"""Torch UNets built from specs, in from diffusers and out to diffusers."""

from archlab.unet.diffusers import from_diffusers, to_diffusers
from archlab.unet.encoder import Added
from archlab.unet.inheritance.inherit import inherit
from archlab.unet.inheritance.methods import Methods
from archlab.unet.inherited import Inheritance
from archlab.unet.unet import UNet, build, set_attention_normalizer

__all__ = [
    "Added",
    "Inheritance",
    "Methods",
    "UNet",
    "build",
    "from_diffusers",
    "inherit",
    "set_attention_normalizer",
    "to_diffusers",
]
