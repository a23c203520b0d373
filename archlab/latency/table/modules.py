"""A piece as a module with inputs, built from archlab's own modules."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from archlab.architecture import AddedConditioning, Node
from archlab.latency.network import Built
from archlab.latency.table.pieces import Piece, PieceKind
from archlab.unet.blocks import NORM_EPS, Downsample, UNetBlock, Upsample
from archlab.unet.norms import feature_norm
from archlab.unet.time_embedding import AddedEmbedding, TimeEmbedding
from archlab.unet.transformer import TransformerStack


def build_piece(piece: Piece, channels_last: bool, seed: int) -> Built:
    """Random weights and inputs for a batch of one.

    Args:
        channels_last: feature maps come and go as [1, H, W, C], not [1, C, H, W]. Where a runtime keeps them so within
            a network, a piece that had to turn them round would seem slower than it is.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if piece.node is None:
            part, inputs = _embedding(piece)
        else:
            part, inputs = _BUILDERS[piece.kind](piece.node, dict(piece.unet))
            part = FeatureMapPiece(part, channels_last)
            if channels_last:
                inputs = {name: _last(x).contiguous() if x.ndim == 4 else x for name, x in inputs.items()}
    return Built(part.eval().requires_grad_(False), inputs)


def build_idle(seed: int) -> Built:
    """A convolution that takes next to nothing, and yet is not too short for a clock."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        part = FeatureMapPiece(nn.Conv2d(8, 8, 3, padding=1), channels_last=False)
        return Built(part.eval().requires_grad_(False), {"x": torch.randn(1, 8, 8, 8)})


class FeatureMapPiece(nn.Module):
    """A part of a UNet that makes a feature map of a feature map; a skip is concatenated to it."""

    def __init__(self, part: nn.Module, channels_last: bool) -> None:
        super().__init__()
        self.part, self.channels_last = part, channels_last

    def forward(self, x: Tensor, condition: Tensor | None = None, skip: Tensor | None = None) -> Tensor:
        """``condition`` is the time embedding or the context."""
        if skip is not None:
            x = torch.cat([x, skip], dim=-1 if self.channels_last else 1)
        x = _first(x) if self.channels_last else x
        out: Tensor = self.part(x) if condition is None else self.part(x, condition)
        return _last(out) if self.channels_last else out


class EmbeddingPiece(nn.Module):
    """Time embedding and, where they are there, LCM's of the guidance and SDXL's added one."""

    def __init__(self, channels: int, added: AddedConditioning | None, guidance_dim: int | None) -> None:
        super().__init__()
        dim = 4 * channels
        self.time_embedding = TimeEmbedding(channels, dim, guidance_dim)
        self.added_embedding = AddedEmbedding(added, dim) if added else None

    def forward(
        self,
        timestep: Tensor,
        text_embeds: Tensor | None = None,
        time_ids: Tensor | None = None,
        guidance: Tensor | None = None,
    ) -> Tensor:
        """Shapes as in `archlab.convert.example_inputs`. Returns [1, D]."""
        time: Tensor = self.time_embedding(timestep, guidance)
        return time if self.added_embedding is None else time + self.added_embedding(text_embeds, time_ids)


class WithoutContext(nn.Module):
    """A transformer stack that attends to no context."""

    def __init__(self, stack: TransformerStack) -> None:
        super().__init__()
        self.stack = stack

    def forward(self, x: Tensor) -> Tensor:
        """[1, C, H, W] → [1, C, H, W]"""
        out: Tensor = self.stack(x, x)
        return out


Part = tuple[nn.Module, dict[str, Tensor]]


def _embedding(piece: Piece) -> Part:
    unet: dict[str, Any] = dict(piece.unet)
    added = AddedConditioning(**dict(unet["added"])) if unet["added"] else None
    inputs = {"timestep": torch.rand(1) * 1000}
    if added is not None:
        inputs |= {"text_embeds": torch.randn(1, added.text_dim), "time_ids": torch.rand(1, added.time_ids) * 1000}
    if unet["guidance_dim"] is not None:
        inputs["guidance"] = torch.randn(1, unet["guidance_dim"])
    return EmbeddingPiece(unet["first_channels"], added, unet["guidance_dim"]), inputs


def _conv_in(node: Node, unet: dict[str, Any]) -> Part:
    return nn.Conv2d(node.in_channels, node.out_channels, 3, padding=1), _feature_map(node)


def _conv_out(node: Node, unet: dict[str, Any]) -> Part:
    norm = feature_norm(node.norm, node.in_channels, unet["norm_groups"], NORM_EPS)
    conv = nn.Conv2d(node.in_channels, node.out_channels, 3, padding=1)
    return nn.Sequential(norm, nn.SiLU(), conv), _feature_map(node)


def _downsample(node: Node, unet: dict[str, Any]) -> Part:
    return Downsample(node), _feature_map(node)


def _upsample(node: Node, unet: dict[str, Any]) -> Part:
    return Upsample(node), _feature_map(node)


def _residual(node: Node, unet: dict[str, Any]) -> Part:
    time_dim = 4 * unet["first_channels"]
    block = UNetBlock(node, time_dim, context_dim=1, norm_groups=unet["norm_groups"])
    inputs = {**_feature_map(node), "condition": torch.randn(1, time_dim)}
    if node.skip_channels:
        inputs["skip"] = torch.randn(1, node.skip_channels, node.size, node.size)
    return block.residual, inputs


def _stack(node: Node, unet: dict[str, Any]) -> Part:
    channels = node.out_channels
    stack = TransformerStack([], channels, channels, node.norm, unet["norm_groups"])
    return WithoutContext(stack), _feature_map(node)


def _without_context(node: Node, unet: dict[str, Any]) -> Part:
    return WithoutContext(_alone(node, node.out_channels)), _feature_map(node)


def _cross_attention(node: Node, unet: dict[str, Any]) -> Part:
    condition = torch.randn(1, unet["context_length"], unet["context_dim"])
    return _alone(node, unet["context_dim"]), {**_feature_map(node), "condition": condition}


def _alone(node: Node, context_dim: int) -> TransformerStack:
    """In a stack, which has the tokens' layout in every form of attention, but without its norm and projections."""
    stack = TransformerStack(node.transformers, node.out_channels, context_dim, node.norm, norm_groups=1)
    for name in ("norm", "project_in", "project_out"):
        setattr(stack, name, nn.Identity())
    return stack


def _feature_map(node: Node) -> dict[str, Tensor]:
    return {"x": torch.randn(1, node.in_channels, node.size, node.size)}


def _first(x: Tensor) -> Tensor:
    """[B, H, W, C] → [B, C, H, W]"""
    return x.permute(0, 3, 1, 2)


def _last(x: Tensor) -> Tensor:
    """[B, C, H, W] → [B, H, W, C]"""
    return x.permute(0, 2, 3, 1)


_BUILDERS: dict[PieceKind, Callable[[Node, dict[str, Any]], Part]] = {
    "conv_in": _conv_in,
    "residual": _residual,
    "stack": _stack,
    "self_attention": _without_context,
    "cross_attention": _cross_attention,
    "feed_forward": _without_context,
    "downsample": _downsample,
    "upsample": _upsample,
    "conv_out": _conv_out,
}
