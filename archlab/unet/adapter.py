"""T2I-Adapter for any architecture (Mou et al., arXiv 2302.08453)."""

import torch.nn.functional as F
from torch import Tensor, nn

from archlab.architecture import UNetSpec
from archlab.architecture.residual_places import residual_places
from archlab.unet.controlnet import PICTURE_CHANNELS
from archlab.unet.residuals import Residuals

RES_BLOCKS = 2  # of each stage


class Adapter(nn.Module):
    """A feature map of a picture for each stage of a UNet. It runs once an image: it sees no noise and no text.

    Modules are named as in diffusers' ``FullAdapter``, of which it is one where every stage's feature has half the side
    of the one before. A new one adds nothing but zeros.

    Args:
        spec: of the UNet.
        factor: side of the picture by that of the latent.

    Attributes:
        runs_once: whether it needs nothing but the picture.
        shrink, total_shrink: by which the picture's side is divided in the first stage's feature, and in the last's.
    """

    runs_once = True

    def __init__(self, spec: UNetSpec, factor: int) -> None:
        super().__init__()
        places = residual_places(spec).stages
        self.shrink, self.total_shrink = (factor * spec.sample_size // place.size for place in (places[0], places[-1]))
        self.conv_in = nn.Conv2d(PICTURE_CHANNELS * self.shrink**2, places[0].channels, 3, padding=1)
        self.body = nn.ModuleList(
            AdapterBlock(before.channels, place.channels, before.size // place.size)
            for before, place in zip((places[0], *places), places, strict=False)
        )
        _zero(self.conv_in.weight, self.conv_in.bias)

    def forward(self, picture: Tensor) -> Residuals:
        """[B, 3, factor · H, factor · W] in [0, 1] → what the ends of the stages' ways down are to be given."""
        x = self._first(picture)
        features = []
        for block in self.body:
            x = block(x)
            features.append(x)
        return Residuals(stages=features)

    def _first(self, picture: Tensor) -> Tensor:
        """``conv_in`` of the picture with ``shrink²`` pixels in the channels of one: a strided convolution."""
        weight, shrink = self.conv_in.weight, self.shrink
        by_pixel = weight.reshape(len(weight), PICTURE_CHANNELS, shrink, shrink, 3, 3).permute(0, 1, 4, 2, 5, 3)
        kernel = by_pixel.reshape(len(weight), PICTURE_CHANNELS, 3 * shrink, 3 * shrink)
        return F.conv2d(picture, kernel, self.conv_in.bias, stride=shrink, padding=shrink)


class AdapterBlock(nn.Module):
    """Shrink the side, change the width, then residual blocks."""

    def __init__(self, in_channels: int, out_channels: int, shrink: int) -> None:
        super().__init__()
        self.shrink = shrink
        self.in_conv = None if in_channels == out_channels else nn.Conv2d(in_channels, out_channels, 1)
        if self.in_conv is not None:
            _zero(self.in_conv.bias)
        self.resnets = nn.Sequential(*(AdapterResidual(out_channels) for _ in range(RES_BLOCKS)))

    def forward(self, x: Tensor) -> Tensor:
        if self.shrink > 1:
            x = F.avg_pool2d(x, self.shrink)
        if self.in_conv is not None:
            x = self.in_conv(x)
        out: Tensor = self.resnets(x)
        return out


class AdapterResidual(nn.Module):
    """A 3×3 convolution, ReLU, a 1×1 convolution, plus the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.block2 = nn.Conv2d(channels, channels, 1)
        _zero(self.block2.weight, self.block2.bias)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.block2(F.relu(self.block1(x))) + x
        return out


def _zero(*weights: Tensor | None) -> None:
    for weight in weights:
        assert weight is not None
        nn.init.zeros_(weight)
