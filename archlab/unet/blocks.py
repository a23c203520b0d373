"""Residual blocks, resampling and convolutions of the UNet. Layout of feature maps: [B, C, H, W]."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archlab.architecture import Conv3x3, Node
from archlab.unet.norms import feature_norm
from archlab.unet.transformer import TransformerStack

NORM_EPS = 1e-5


class SeparableConv(nn.Module):
    """A 3×3 convolution per channel, then a 1×1 across channels; expanded, a 1×1 to more channels before both.

    Nothing lies between them, so that they are one convolution of low rank. Only the last has a bias, which takes the
    others' in exactly.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, expanded: int | None = None) -> None:
        super().__init__()
        self.expand = None if expanded is None else nn.Conv2d(in_channels, expanded, 1, bias=False)
        width = in_channels if expanded is None else expanded
        self.depthwise = nn.Conv2d(width, width, 3, stride=stride, padding=1, groups=width, bias=False)
        self.pointwise = nn.Conv2d(width, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.expand is None else self.expand(x)
        out: Tensor = self.pointwise(self.depthwise(x))
        return out


def conv3x3(kind: Conv3x3, in_channels: int, out_channels: int, stride: int = 1) -> nn.Module:
    """A 3×3 convolution of the given kind, padded to keep the size (or halve it with stride 2)."""
    if kind.conv == "standard":
        return nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1)
    return SeparableConv(in_channels, out_channels, stride, kind.inner(out_channels))


class ResidualBlock(nn.Module):
    """norm, SiLU, conv, time embedding, norm, SiLU, conv, plus a 1×1 shortcut where the width changes."""

    def __init__(self, node: Node, time_dim: int, norm_groups: int) -> None:
        super().__init__()
        in_channels, out_channels = node.in_channels + node.skip_channels, node.out_channels
        self.norm1 = feature_norm(node.norm, in_channels, norm_groups, NORM_EPS)
        self.conv1 = conv3x3(node.conv3x3, in_channels, out_channels)
        self.time_projection = nn.Linear(time_dim, out_channels)
        self.norm2 = feature_norm(node.norm, out_channels, norm_groups, NORM_EPS)
        self.conv2 = conv3x3(node.conv3x3, out_channels, out_channels)
        self.shortcut = nn.Identity() if in_channels == out_channels else nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        h = h + self.time_projection(F.silu(time))[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        out: Tensor = self.shortcut(x) + h
        return out


class UNetBlock(nn.Module):
    """A residual block followed by its transformers; a skip is concatenated to the input."""

    def __init__(self, node: Node, time_dim: int, context_dim: int, norm_groups: int) -> None:
        super().__init__()
        self.residual = ResidualBlock(node, time_dim, norm_groups)
        self.transformers = (
            TransformerStack(node.transformers, node.out_channels, context_dim, node.norm, norm_groups)
            if node.transformers
            else None
        )

    def forward(self, x: Tensor, time: Tensor, context: Tensor, skip: Tensor | None = None) -> Tensor:
        if skip is not None:
            x = torch.cat([x, skip], dim=1)
        x = self.residual(x, time)
        return x if self.transformers is None else self.transformers(x, context)


class Downsample(nn.Module):
    """Halve the resolution by a strided 3×3 convolution."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.conv = conv3x3(node.conv3x3, node.in_channels, node.out_channels, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return out


class Upsample(nn.Module):
    """Double the resolution: nearest neighbour, then a 3×3 convolution."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.conv = conv3x3(node.conv3x3, node.in_channels, node.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return out
