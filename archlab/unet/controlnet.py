"""ControlNet for any architecture (Zhang et al., arXiv 2302.05543)."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from archlab.architecture import UNetSpec
from archlab.architecture.residual_places import residual_places
from archlab.unet.encoder import Added, Encoder
from archlab.unet.residuals import Residuals
from archlab.unet.unet import UNet

PICTURE_CHANNELS = 3  # red, green, blue in [0, 1]

_WIDTHS = (16, 32, 96, 256)  # of the picture's embedding, each at half the side of the one before


class ControlNet(Encoder):
    """A copy of a UNet's way down and middle that sees a picture, too. A new one adds nothing but zeros.

    What it has beside the UNet's own modules is named as in diffusers' ``ControlNetModel``.

    Args:
        spec: of the UNet. An embedded guidance is left out: diffusers' pipelines do not hand it over.
        factor: side of the picture by that of the latent, a power of 2: 8 for Stable Diffusion's VAE, 1 for pixels.

    Attributes:
        runs_once: whether it needs nothing but the picture.
    """

    runs_once = False

    def __init__(self, spec: UNetSpec, factor: int) -> None:
        super().__init__(replace(spec, guidance_dim=None))
        places = residual_places(spec)
        self.controlnet_cond_embedding = ConditionEmbedding(condition_widths(factor), spec.stages[0].channels)
        self.controlnet_down_blocks = nn.ModuleList(_zeros(place.channels, 1) for place in places.skips)
        self.controlnet_mid_block = _zeros(places.middle.channels, 1)

    def forward(
        self, sample: Tensor, timestep: Tensor, context: Tensor, picture: Tensor, added: Added | None = None
    ) -> Residuals:
        """What the UNet's skips and its middle are to be given.

        Args:
            sample, timestep, context, added: as the UNet gets them.
            picture: [B, 3, factor · H, factor · W] in [0, 1].
        """
        x = self.conv_in(sample) + self.controlnet_cond_embedding(picture)
        x, stacks = self.encode(x, self.time(timestep, added), context)
        skips = [skip for stack in stacks for skip in stack]
        return Residuals(
            skips=[zeros(skip) for zeros, skip in zip(self.controlnet_down_blocks, skips, strict=True)],
            middle=self.controlnet_mid_block(x),
        )


class ConditionEmbedding(nn.Module):
    """A picture as a feature map of a latent's side; zeros before it has learnt."""

    def __init__(self, widths: Sequence[int], channels: int) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(PICTURE_CHANNELS, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList()
        for width, next_width in pairwise(widths):
            self.blocks.append(nn.Conv2d(width, width, 3, padding=1))
            self.blocks.append(nn.Conv2d(width, next_width, 3, padding=1, stride=2))
        self.conv_out = _zeros(widths[-1], 3, channels)

    def forward(self, picture: Tensor) -> Tensor:
        x = F.silu(self.conv_in(picture))
        for block in self.blocks:
            x = F.silu(block(x))
        out: Tensor = self.conv_out(x)
        return out


def controlnet_of(unet: UNet, factor: int) -> ControlNet:
    """A new one with copies of the UNet's weights."""
    control = ControlNet(unet.spec, factor)
    own = control.state_dict()
    copies = {name: weight.detach().cpu() for name, weight in unet.state_dict().items() if name in own}
    control.load_state_dict({**own, **copies})
    return control


def condition_widths(factor: int) -> tuple[int, ...]:
    """Channels of the picture's embedding: diffusers' ``conditioning_embedding_out_channels``.

    Raises:
        ValueError: the factor is no power of 2.
    """
    if factor < 1 or factor & (factor - 1):
        raise ValueError(f"a picture's side must be a power of 2 times the latent's, not {factor} times")
    halvings = factor.bit_length() - 1
    return (*_WIDTHS, *[_WIDTHS[-1]] * halvings)[: halvings + 1]


def _zeros(channels: int, kernel: int, out_channels: int | None = None) -> nn.Conv2d:
    """A convolution that gives zeros until it has learnt."""
    conv = nn.Conv2d(channels, out_channels or channels, kernel, padding=kernel // 2)
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]  # it has one
    return conv
