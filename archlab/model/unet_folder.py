"""A UNet's folder."""

from pathlib import Path

from archlab.unet import UNet, from_diffusers, to_diffusers


def write_unet(unet: UNet, folder: Path) -> None:
    """Write it as diffusers' ``UNet2DConditionModel``."""
    to_diffusers(unet, folder)


def read_unet(folder: Path) -> UNet:
    """What `write_unet` wrote."""
    return from_diffusers(folder)[1]
