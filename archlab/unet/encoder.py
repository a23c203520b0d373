"""The way down of a UNet with its middle: what a UNet begins with, and what a ControlNet is a copy of."""

from typing import TypedDict

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from archlab.architecture import Node, UNetSpec, layout
from archlab.architecture.residual_places import adds_after_halving
from archlab.unet.blocks import Downsample, UNetBlock
from archlab.unet.residuals import NO_RESIDUALS, Residuals
from archlab.unet.time_embedding import AddedEmbedding, TimeEmbedding


class Added(TypedDict):
    """SDXL's extra input."""

    text_embeds: Tensor  # [B, text_dim]
    time_ids: Tensor  # [B, time_ids]


class Encoder(nn.Module):
    """From a noisy latent to what the middle gives out.

    Modules are named after `archlab.architecture.layout`'s nodes: ``down.0.1``, ``downsample.0``, ``middle.0``.

    Attributes:
        spec: what it was built from.
        checkpointing: in training, keep of each block its inputs alone, and compute the rest again for the gradient
            (gradient checkpointing, arXiv 1604.06174).
    """

    checkpointing: bool = False

    def __init__(self, spec: UNetSpec) -> None:
        super().__init__()
        self.spec = spec
        nodes = {node.name: node for node in layout(spec)}
        first = spec.stages[0].channels
        self.time_embedding = TimeEmbedding(first, 4 * first, spec.guidance_dim)
        self.added_embedding = AddedEmbedding(spec.added, 4 * first) if spec.added else None
        self.conv_in = nn.Conv2d(spec.in_channels, first, 3, padding=1)
        self.down = nn.ModuleList(
            nn.ModuleList(block_of(spec, nodes[f"down.{index}.{k}"]) for k in range(len(stage.down)))
            for index, stage in enumerate(spec.stages)
        )
        self.downsample = nn.ModuleDict(
            {node.name.split(".")[1]: Downsample(node) for node in nodes.values() if node.kind == "downsample"}
        )
        self.middle = nn.ModuleList(block_of(spec, nodes[f"middle.{k}"]) for k in range(len(spec.middle)))

    def time(self, timestep: Tensor, added: Added | None, guidance: Tensor | None = None) -> Tensor:
        """The time embedding, with what is added to it: [B, 4 × channels of the first stage]."""
        time: Tensor = self.time_embedding(timestep, guidance)
        if self.added_embedding is None:
            return time
        if added is None:
            raise ValueError("this UNet has added conditioning: pass added={'text_embeds', 'time_ids'}")
        embedded: Tensor = self.added_embedding(added["text_embeds"], added["time_ids"])
        return time + embedded

    def encode(
        self, x: Tensor, time: Tensor, context: Tensor, residuals: Residuals = NO_RESIDUALS
    ) -> tuple[Tensor, list[list[Tensor]]]:
        """What the middle gives out, and each stage's stack.

        Args:
            x: what the first convolution gives out: [B, channels of the first stage, H, W].
            time: see `time`; context: [B, L, D].

        Raises:
            ValueError: the residuals are of another layout.
        """
        stacks: list[list[Tensor]] = []
        for index, blocks in enumerate(self.down):
            stage, feature = self.spec.stages[index], _stage_residual(self.spec, residuals, index)
            stacks.append([x])
            for block in blocks:  # type: ignore[attr-defined]  # ModuleList's items are typed as Module
                x = self.through(block, x, time, context)
                stacks[-1].append(x)
            if feature is not None and not adds_after_halving(stage):
                x = stacks[-1][-1] = x + feature
            if str(index) in self.downsample:
                x = self.downsample[str(index)](x)
            if feature is not None and adds_after_halving(stage):
                x = x + feature
        for block in self.middle:
            x = self.through(block, x, time, context)
        if residuals.skips:
            _add_to_skips(stacks, residuals)
        return (x if residuals.middle is None else x + residuals.middle), stacks

    def through(self, block: nn.Module, *inputs: Tensor | None) -> Tensor:
        """What a block gives out."""
        out: Tensor
        if self.checkpointing and self.training and torch.is_grad_enabled():
            out = checkpoint(block, *inputs, use_reentrant=False, preserve_rng_state=False)  # nothing in it is random
        else:
            out = block(*inputs)
        return out


def block_of(spec: UNetSpec, node: Node) -> UNetBlock:
    """A new block for a node of the architecture's layout."""
    return UNetBlock(node, 4 * spec.stages[0].channels, spec.context_dim, spec.norm_groups)


def _stage_residual(spec: UNetSpec, residuals: Residuals, stage: int) -> Tensor | None:
    if residuals.stages and len(residuals.stages) != len(spec.stages):
        raise ValueError(f"a residual for each of {len(spec.stages)} stages is needed, not {len(residuals.stages)}")
    return residuals.stages[stage] if residuals.stages else None


def _add_to_skips(stacks: list[list[Tensor]], residuals: Residuals) -> None:
    there = sum(map(len, stacks))
    if len(residuals.skips) != there:
        raise ValueError(f"a residual for each of {there} skips is needed, not {len(residuals.skips)}")
    left = iter(residuals.skips)
    for stack in stacks:
        stack[:] = [x + next(left) for x in stack]
