"""A torch UNet built from a spec."""

import math
from typing import TypedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from archlab.architecture import AddedConditioning, UNetSpec, layout
from archlab.architecture.parts import AppliedNormalizer
from archlab.unet.blocks import NORM_EPS, Downsample, UNetBlock, Upsample
from archlab.unet.inherited import Inheritance
from archlab.unet.transformer import TransformerBlock


class Added(TypedDict):
    """SDXL's extra input."""

    text_embeds: Tensor  # [B, text_dim]
    time_ids: Tensor  # [B, time_ids]


class UNet(nn.Module):
    """Predicts the noise (or velocity) of a latent at a time step, given text.

    Modules are named after `archlab.architecture.layout`'s nodes: ``down.0.1``, ``middle.0``, ``upsample.2``.

    Attributes:
        spec: what it was built from.
        inheritance: where its weights come from, if from another UNet.
        checkpointing: in training, keep of each block its inputs alone, and compute the rest again for the gradient
            (gradient checkpointing, arXiv 1604.06174).
    """

    inheritance: Inheritance | None = None
    checkpointing: bool = False

    def __init__(self, spec: UNetSpec) -> None:
        super().__init__()
        self.spec = spec
        nodes = {node.name: node for node in layout(spec)}
        first = spec.stages[0].channels
        time_dim = 4 * first

        def block(name: str) -> UNetBlock:
            return UNetBlock(nodes[name], time_dim, spec.context_dim, spec.norm_groups)

        self.time_embedding = TimeEmbedding(first, time_dim, spec.guidance_dim)
        self.added_embedding = AddedEmbedding(spec.added, time_dim) if spec.added else None
        self.conv_in = nn.Conv2d(spec.in_channels, first, 3, padding=1)
        self.down = nn.ModuleList(
            nn.ModuleList(block(f"down.{index}.{k}") for k in range(len(stage.down)))
            for index, stage in enumerate(spec.stages)
        )
        self.downsample = nn.ModuleDict(
            {node.name.split(".")[1]: Downsample(node) for node in nodes.values() if node.kind == "downsample"}
        )
        self.middle = nn.ModuleList(block(f"middle.{k}") for k in range(len(spec.middle)))
        self.up = nn.ModuleList(
            nn.ModuleList(block(f"up.{index}.{k}") for k in range(len(stage.up)))
            for index, stage in enumerate(spec.stages)
        )
        self.upsample = nn.ModuleDict(
            {node.name.split(".")[1]: Upsample(node) for node in nodes.values() if node.kind == "upsample"}
        )
        self.norm_out = nn.GroupNorm(spec.norm_groups, first, eps=NORM_EPS)
        self.conv_out = nn.Conv2d(first, spec.out_channels, 3, padding=1)

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor,
        context: Tensor,
        added: Added | None = None,
        guidance: Tensor | None = None,
    ) -> Tensor:
        """Predict from a latent, its time and its text.

        Args:
            sample: [B, C, H, W]; timestep: [B]; context: [B, L, D]; added: see `Added`.
            guidance: [B, guidance_dim], the embedded guidance scale of an LCM; None leaves it out.

        Returns:
            [B, C, H, W]
        """
        x, stacks, time = self._down_and_middle(sample, timestep, context, added, guidance)
        for index in reversed(range(len(self.up))):
            for block in self.up[index]:  # type: ignore[attr-defined]
                x = self._through(block, x, time, context, stacks[index].pop() if stacks[index] else None)
            if str(index) in self.upsample:
                x = self.upsample[str(index)](x)
        out: Tensor = self.conv_out(F.silu(self.norm_out(x)))
        return out

    def bottleneck(
        self,
        sample: Tensor,
        timestep: Tensor,
        context: Tensor,
        added: Added | None = None,
        guidance: Tensor | None = None,
    ) -> Tensor:
        """What the middle gives out: [B, channels of the last stage, h, w]. See `forward` for the arguments."""
        return self._down_and_middle(sample, timestep, context, added, guidance)[0]

    def _down_and_middle(
        self, sample: Tensor, timestep: Tensor, context: Tensor, added: Added | None, guidance: Tensor | None
    ) -> tuple[Tensor, list[list[Tensor]], Tensor]:
        """What the middle gives out, each stage's stack, and the time embedding: [B, D]."""
        time = self.time_embedding(timestep, guidance)
        if self.added_embedding is not None:
            if added is None:
                raise ValueError("this UNet has added conditioning: pass added={'text_embeds', 'time_ids'}")
            time = time + self.added_embedding(added["text_embeds"], added["time_ids"])
        x = self.conv_in(sample)
        stacks: list[list[Tensor]] = []
        for index, blocks in enumerate(self.down):
            stacks.append([x])
            for block in blocks:  # type: ignore[attr-defined]  # ModuleList's items are typed as Module
                x = self._through(block, x, time, context)
                stacks[-1].append(x)
            if str(index) in self.downsample:
                x = self.downsample[str(index)](x)
        for block in self.middle:
            x = self._through(block, x, time, context)
        return x, stacks, time

    def _through(self, block: nn.Module, *inputs: Tensor | None) -> Tensor:
        out: Tensor
        if self.checkpointing and self.training and torch.is_grad_enabled():
            out = checkpoint(block, *inputs, use_reentrant=False, preserve_rng_state=False)  # nothing in it is random
        else:
            out = block(*inputs)
        return out


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


def build(spec: UNetSpec) -> UNet:
    """The torch module of an architecture, randomly initialised, in training mode."""
    return UNet(spec)


def set_attention_normalizer(unet: nn.Module, normalizer: AppliedNormalizer) -> None:
    """Switch the attention of transformers declared ``softmax->relu``: softmax to train, relu to finetune and
    deploy (as built)."""
    for module in unet.modules():
        if isinstance(module, TransformerBlock) and module.finetuned_with_relu:
            for attention in (module.self_attention, module.cross_attention):
                if attention is not None:
                    attention.normalizer = normalizer


def sinusoids(values: Tensor, dim: int) -> Tensor:
    """Cosines then sines at ``dim / 2`` geometric frequencies, as Stable Diffusion has them: [N] → [N, dim]."""
    half = dim // 2
    frequencies = torch.exp(-math.log(10_000) * torch.arange(half, device=values.device) / half)
    angles = values.float()[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=-1)
