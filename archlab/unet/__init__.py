"""Torch UNets built from specs."""

from archlab.unet.unet import Added, UNet, build, set_attention_normalizer

__all__ = ["Added", "UNet", "build", "set_attention_normalizer"]
