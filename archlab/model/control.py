"""A control: what a model draws along."""

from dataclasses import dataclass

import torch
from torch import Tensor

from archlab.unet import UNet
from archlab.unet.controlled import ControlledUNet, ControlNetwork


@dataclass(frozen=True, eq=False, kw_only=True)
class Control:
    """A ControlNet or a T2I-Adapter with what it is shown.

    Attributes:
        name: what people call it.
        pictures: one for all images, or one an image: [N, 3, H, W] in [0, 1], with the sides of the images.
        scale: how strongly it holds: 0 not at all, 1 as it was trained.
    """

    name: str
    network: ControlNetwork
    pictures: Tensor
    scale: float = 1.0

    def over(self, unet: UNet, images: slice, device: torch.device) -> ControlledUNet:
        """The UNet under this control, for these of the images that are drawn."""
        pictures = self.pictures if len(self.pictures) == 1 else self.pictures[images]
        return ControlledUNet(unet, self.network.to(device), pictures.to(device), self.scale)
