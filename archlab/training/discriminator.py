"""A discriminator: a head on what a UNet's middle gives out."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archlab.unet import UNet


class Discriminator(nn.Module):
    """Logits of noisy latents: how likely they are real.

    Args:
        network: whose middle's features are judged.
        seed: of the head.
    """

    def __init__(self, network: UNet, seed: int) -> None:
        super().__init__()
        spec = network.spec
        head = Head(spec.stages[-1].channels, spec.norm_groups, seed)
        self.network, self.head = network, head.to(network.conv_in.weight.device)

    def forward(self, noisy: Tensor, timesteps: Tensor, context: Tensor) -> Tensor:
        """[B, C, H, W], [B], [B, L, D] → [B]"""
        logits: Tensor = self.head(self.network.bottleneck(noisy, timesteps, context))
        return logits


class Head(nn.Module):
    """One logit of what a middle gives out: how likely the latents are real. It begins with 0 for all.

    Args:
        seed: of its weights.
    """

    def __init__(self, channels: int, groups: int, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = nn.GroupNorm(groups, channels)
        self.out = nn.Linear(channels, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, features: Tensor) -> Tensor:
        """[B, channels, h, w] → [B]"""
        logits: Tensor = self.out(F.silu(self.norm(self.conv(features))).mean((2, 3)))
        return logits.squeeze(1)


def without_way_up(unet: UNet) -> UNet:
    """The UNet itself, which from now on has a bottleneck and no answer."""
    unet.up, unet.upsample = nn.ModuleList(), nn.ModuleDict()
    unet.norm_out, unet.conv_out = nn.Identity(), nn.Identity()  # type: ignore[assignment]
    return unet
