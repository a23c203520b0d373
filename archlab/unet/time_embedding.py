"""The time step, the guidance and SDXL's sizes as one vector."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archlab.architecture import AddedConditioning


class TimeEmbedding(nn.Module):
    """Sinusoids of the time step, with the guidance where that is embedded, then two linear layers."""

    def __init__(self, sinusoid_dim: int, dim: int, guidance_dim: int | None = None) -> None:
        super().__init__()
        self.sinusoid_dim = sinusoid_dim
        self.guidance = None if guidance_dim is None else nn.Linear(guidance_dim, sinusoid_dim, bias=False)
        self.linear1 = nn.Linear(sinusoid_dim, dim)
        self.linear2 = nn.Linear(dim, dim)

    def forward(self, timestep: Tensor, guidance: Tensor | None = None) -> Tensor:
        """[B] and [B, guidance_dim] → [B, D]"""
        waves = sinusoids(timestep, self.sinusoid_dim).to(self.linear1.weight.dtype)
        if guidance is not None:
            if self.guidance is None:
                raise ValueError("this UNet has no guidance embedding: leave guidance out")
            waves = waves + self.guidance(guidance)
        out: Tensor = self.linear2(F.silu(self.linear1(waves)))
        return out


class AddedEmbedding(nn.Module):
    """SDXL's pooled text embedding and size ids as one vector beside the time embedding."""

    def __init__(self, added: AddedConditioning, dim: int) -> None:
        super().__init__()
        self.time_dim = added.time_dim
        self.linear1 = nn.Linear(added.dim, dim)
        self.linear2 = nn.Linear(dim, dim)

    def forward(self, text_embeds: Tensor, time_ids: Tensor) -> Tensor:
        batch = time_ids.shape[0]  # len() would make a constant of it where torch exports the network
        ids = sinusoids(time_ids.flatten(), self.time_dim).to(text_embeds.dtype).reshape(batch, -1)
        out: Tensor = self.linear2(F.silu(self.linear1(torch.cat([text_embeds, ids], dim=-1))))
        return out


def sinusoids(values: Tensor, dim: int) -> Tensor:
    """Cosines then sines at ``dim / 2`` geometric frequencies, as Stable Diffusion has them: [N] → [N, dim]."""
    half = dim // 2
    frequencies = torch.exp(-math.log(10_000) * torch.arange(half, device=values.device) / half)
    angles = values.float()[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=-1)
