"""A piece as a module with inputs, built from archlab's own modules."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from archlab.architecture import AddedConditioning, Block, Node, Transformer
from archlab.architecture.parts import Conv
from archlab.latency.network import Built
from archlab.latency.table.pieces import Piece, PieceKind
from archlab.unet.blocks import NORM_EPS, Downsample, ResidualBlock, Upsample
from archlab.unet.transformer import TransformerStack
from archlab.unet.unet import AddedEmbedding, TimeEmbedding


def build_piece(piece: Piece, channels_last: bool, seed: int) -> Built:
    """Random weights and inputs for a batch of one.

    Args:
        channels_last: feature maps come and go as [1, H, W, C], not [1, C, H, W]. Where a runtime keeps them so within
            a network, a piece that had to turn them round would seem slower than it is.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        part, inputs = _BUILDERS[piece.kind](**dict(piece.facts))
        if piece.kind != "embedding":
            part = FeatureMapPiece(part, channels_last)
            if channels_last:
                inputs = {name: _last(x).contiguous() if x.ndim == 4 else x for name, x in inputs.items()}
    return Built(part.eval().requires_grad_(False), inputs)


def build_idle(seed: int) -> Built:
    """A convolution that takes next to nothing, and yet is not too short for a clock."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        part = FeatureMapPiece(nn.Conv2d(8, 8, 3, padding=1), channels_last=False)
        return Built(part.eval().requires_grad_(False), _feature_map(8, 8))


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
    """Time embedding and, where there is one, SDXL's added embedding."""

    def __init__(self, channels: int, dim: int, added: AddedConditioning | None) -> None:
        super().__init__()
        self.time_embedding = TimeEmbedding(channels, dim)
        self.added_embedding = AddedEmbedding(added, dim) if added else None

    def forward(self, timestep: Tensor, text_embeds: Tensor | None = None, time_ids: Tensor | None = None) -> Tensor:
        """Shapes as in `archlab.convert.example_inputs`. Returns [1, D]."""
        time: Tensor = self.time_embedding(timestep)
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


def _embedding(channels: int, dim: int, added: tuple[int, int, int] | None) -> Part:
    inputs = {"timestep": torch.rand(1) * 1000}
    if added is None:
        return EmbeddingPiece(channels, dim, None), inputs
    conditioning = AddedConditioning(text_dim=added[0], time_ids=added[1], time_dim=added[2])
    inputs |= {"text_embeds": torch.randn(1, added[0]), "time_ids": torch.rand(1, added[1]) * 1000}
    return EmbeddingPiece(channels, dim, conditioning), inputs


def _conv_in(in_channels: int, out_channels: int, size: int) -> Part:
    return nn.Conv2d(in_channels, out_channels, 3, padding=1), _feature_map(in_channels, size)


def _conv_out(in_channels: int, out_channels: int, size: int, norm_groups: int) -> Part:
    norm = nn.GroupNorm(norm_groups, in_channels, eps=NORM_EPS)
    conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
    return nn.Sequential(norm, nn.SiLU(), conv), _feature_map(in_channels, size)


def _resampling(
    module: Callable[[Node], nn.Module], in_channels: int, out_channels: int, size: int, conv: Conv
) -> Part:
    block = Block(conv=conv)
    node = Node(name="", kind="downsample", size=size, in_channels=in_channels, out_channels=out_channels, block=block)
    return module(node), _feature_map(in_channels, size)


def _residual(
    in_channels: int, skip_channels: int, out_channels: int, size: int, conv: Conv, time_dim: int, norm_groups: int
) -> Part:
    part = ResidualBlock(conv, in_channels + skip_channels, out_channels, time_dim, norm_groups)
    inputs = {**_feature_map(in_channels, size), "condition": torch.randn(1, time_dim)}
    if skip_channels:
        inputs["skip"] = torch.randn(1, skip_channels, size, size)
    return part, inputs


def _stack(channels: int, size: int, norm_groups: int) -> Part:
    return WithoutContext(TransformerStack([], channels, channels, norm_groups)), _feature_map(channels, size)


def _self_attention(channels: int, size: int, heads: int, normalizer: Any, shared_kv: bool) -> Part:
    transformer = Transformer(
        heads=heads,
        cross_attention=False,
        ff_ratio=0,
        attention_normalizer=normalizer,
        kv_sharing="all" if shared_kv else "none",
    )
    return WithoutContext(_alone(transformer, channels, channels)), _feature_map(channels, size)


def _cross_attention(
    channels: int, size: int, heads: int, normalizer: Any, shared_kv: bool, context_dim: int, context_length: int
) -> Part:
    transformer = Transformer(
        heads=heads,
        self_attention=False,
        ff_ratio=0,
        attention_normalizer=normalizer,
        kv_sharing="all" if shared_kv else "none",
    )
    inputs = {**_feature_map(channels, size), "condition": torch.randn(1, context_length, context_dim)}
    return _alone(transformer, channels, context_dim), inputs


def _feed_forward(channels: int, size: int, ratio: float, activation: Any, gated: bool) -> Part:
    transformer = Transformer(
        heads=1,
        self_attention=False,
        cross_attention=False,
        ff_ratio=ratio,
        ff_activation=activation,
        ff_gated=gated,
    )
    return WithoutContext(_alone(transformer, channels, channels)), _feature_map(channels, size)


def _alone(transformer: Transformer, channels: int, context_dim: int) -> TransformerStack:
    """In a stack, which has the tokens' layout in every form of attention, but without its norm and projections."""
    stack = TransformerStack([transformer], channels, context_dim, norm_groups=1)
    for name in ("norm", "project_in", "project_out"):
        setattr(stack, name, nn.Identity())
    return stack


def _feature_map(channels: int, size: int) -> dict[str, Tensor]:
    return {"x": torch.randn(1, channels, size, size)}


def _first(x: Tensor) -> Tensor:
    """[B, H, W, C] → [B, C, H, W]"""
    return x.permute(0, 3, 1, 2)


def _last(x: Tensor) -> Tensor:
    """[B, C, H, W] → [B, H, W, C]"""
    return x.permute(0, 2, 3, 1)


_BUILDERS: dict[PieceKind, Callable[..., Part]] = {
    "embedding": _embedding,
    "conv_in": _conv_in,
    "residual": _residual,
    "stack": _stack,
    "self_attention": _self_attention,
    "cross_attention": _cross_attention,
    "feed_forward": _feed_forward,
    "downsample": partial(_resampling, Downsample),
    "upsample": partial(_resampling, Upsample),
    "conv_out": _conv_out,
}
