"""Residual blocks, resampling and convolutions of the UNet. Layout of feature maps: [B, C, H, W]."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archlab.architecture import Node
from archlab.architecture.parts import Conv
from archlab.unet.transformer import TransformerStack

NORM_EPS = 1e-5


class SeparableConv(nn.Module):
    """A 3×3 convolution per channel, then a 1×1 across channels.

    The first has no bias: the second's takes it in exactly.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            in_channels, in_channels, 3, stride=stride, padding=1, groups=in_channels, bias=False
        )
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.pointwise(self.depthwise(x))
        return out


def conv3x3(conv: Conv, in_channels: int, out_channels: int, stride: int = 1) -> nn.Module:
    """A 3×3 convolution of the given kind, padded to keep the size (or halve it with stride 2)."""
    if conv == "separable":
        return SeparableConv(in_channels, out_channels, stride)
    return nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1)


class ResidualBlock(nn.Module):
    """norm, SiLU, conv, time embedding, norm, SiLU, conv, plus a 1×1 shortcut where the width changes."""

    def __init__(self, conv: Conv, in_channels: int, out_channels: int, time_dim: int, norm_groups: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(norm_groups, in_channels, eps=NORM_EPS)
        self.conv1 = conv3x3(conv, in_channels, out_channels)
        self.time_projection = nn.Linear(time_dim, out_channels)
        self.norm2 = nn.GroupNorm(norm_groups, out_channels, eps=NORM_EPS)
        self.conv2 = conv3x3(conv, out_channels, out_channels)
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
        width_in = node.in_channels + node.skip_channels
        self.residual = ResidualBlock(node.conv, width_in, node.out_channels, time_dim, norm_groups)
        self.transformers = (
            TransformerStack(node.transformers, node.out_channels, context_dim, norm_groups)
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
        self.conv = conv3x3(node.conv, node.in_channels, node.out_channels, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return out


class Upsample(nn.Module):
    """Double the resolution: nearest neighbour, then a 3×3 convolution."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.conv = conv3x3(node.conv, node.in_channels, node.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return out
