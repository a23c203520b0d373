"""Norms of feature maps [B, C, H, W], of tokens [B, L, C], and of heads [B, L, heads, d]."""

import torch
from torch import Tensor, nn

from archlab.architecture.parts import Norm


class RMSNorm(nn.Module):
    """x / √(mean(x²) + ε) over one dimension, times a scale, and with a shift where one is asked for.

    Over the last dimension and without a shift it is torch's own (Zhang & Sennrich, arXiv 1910.07467), which knows no
    other dimension.
    """

    def __init__(self, channels: int, eps: float, *, dim: int = -1, shift: bool = True) -> None:
        super().__init__()
        self.num_channels, self.num_groups, self.eps, self.dim = channels, 1, eps, dim
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels)) if shift else None

    def forward(self, x: Tensor) -> Tensor:
        scaled = x * torch.rsqrt(x.square().mean(self.dim, keepdim=True) + self.eps) * self._along(x, self.weight)
        return scaled if self.bias is None else scaled + self._along(x, self.bias)

    def _along(self, x: Tensor, parameter: Tensor) -> Tensor:
        """The parameter beside x."""
        return parameter if self.dim == -1 else parameter.view(-1, *(1,) * (x.ndim - 1 - self.dim))


FeatureNorm = nn.GroupNorm | RMSNorm
TokenNorm = nn.LayerNorm | RMSNorm


def feature_norm(kind: Norm, channels: int, groups: int, eps: float) -> FeatureNorm:
    """That of a feature map: [B, C, H, W]."""
    return RMSNorm(channels, eps, dim=1) if kind == "rms" else nn.GroupNorm(groups, channels, eps=eps)


def token_norm(kind: Norm, channels: int) -> TokenNorm:
    """That of tokens: [B, L, C]."""
    norm = nn.LayerNorm(channels)
    return RMSNorm(channels, norm.eps) if kind == "rms" else norm
