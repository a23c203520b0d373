"""Hand on the weights of residual blocks and transformers."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from archlab.unet.blocks import ResidualBlock, UNetBlock
from archlab.unet.inheritance.attention import carry_attention, key_layers
from archlab.unet.inheritance.feed_forward import carry_feed_forward
from archlab.unet.inheritance.layers import Approximation, Transfer, silence, write
from archlab.unet.inheritance.selection import Selection, by_position, choose
from archlab.unet.norms import TokenNorm
from archlab.unet.transformer import Attention, TransformerBlock, TransformerStack


@dataclass(frozen=True, eq=False)
class Axes:
    """The channels that meet in a block.

    Attributes:
        inputs: of what flows in, skip included.
        outputs: of the stage.
        time: of the time embedding.
    """

    inputs: Selection
    outputs: Selection
    time: Selection


def carry_block(transfer: Transfer, target: UNetBlock, source: UNetBlock, axes: Axes) -> None:
    """A residual block with its transformers; transformers that the parent's block has not start silent."""
    _carry_residual(transfer, target.residual, source.residual, axes)
    if target.transformers is None:
        return
    if source.transformers is None:
        silence(target.transformers.project_out)
    else:
        _carry_stack(transfer, target.transformers, source.transformers, axes.outputs)


def start_as_identity(block: UNetBlock, in_channels: int) -> None:
    """Make a block that the parent has not pass on its ``in_channels`` inputs and ignore the skip; where the width
    changes the shortcut stays random."""
    shortcut = block.residual.shortcut
    silence(block.residual.conv2)
    if isinstance(shortcut, nn.Conv2d) and shortcut.out_channels == in_channels:
        write(shortcut, torch.eye(in_channels, shortcut.in_channels)[:, :, None, None])
        nn.init.zeros_(_bias(shortcut))
    if block.transformers is not None:
        silence(block.transformers.project_out)


def _carry_residual(transfer: Transfer, target: ResidualBlock, source: ResidualBlock, axes: Axes) -> None:
    groups = (source.norm2.num_groups, target.norm2.num_groups)
    hidden = choose(transfer.importance(source.conv2, source.norm2), target.norm2.num_channels, groups)
    transfer.norm(target.norm1, source.norm1, axes.inputs)
    transfer.convolution(target.conv1, source.conv1, hidden, axes.inputs)
    transfer.layer(target.time_projection, source.time_projection, hidden, axes.time)
    transfer.norm(target.norm2, source.norm2, hidden)
    transfer.convolution(target.conv2, source.conv2, axes.outputs, hidden)
    if isinstance(target.shortcut, nn.Conv2d) and isinstance(source.shortcut, nn.Conv2d):
        transfer.layer(target.shortcut, source.shortcut, axes.outputs, axes.inputs)
    elif isinstance(target.shortcut, nn.Conv2d):
        width = source.norm1.num_channels
        identity, nothing = torch.eye(width)[:, :, None, None], torch.zeros(width)
        transfer.place(
            target.shortcut, identity, nothing, axes.outputs, axes.inputs, [], fit=Approximation("identity", 0.0)
        )


def _carry_stack(transfer: Transfer, target: TransformerStack, source: TransformerStack, outputs: Selection) -> None:
    tokens = choose(_token_importance(transfer, source), target.project_in.out_features)
    transfer.norm(target.norm, source.norm, outputs)
    transfer.layer(target.project_in, source.project_in, tokens, outputs)
    origins = _transformers(source)
    for index, block in enumerate(_transformers(target)):
        _carry_transformer(transfer, block, origins[index] if index < len(origins) else None, tokens)
    transfer.layer(target.project_out, source.project_out, outputs, tokens)


def _carry_transformer(
    transfer: Transfer, target: TransformerBlock, source: TransformerBlock | None, tokens: Selection
) -> None:
    """The parts that both have; those that the parent has not start silent."""
    for name in ("self", "cross"):
        attention: Attention | None = getattr(target, f"{name}_attention")
        origin: Attention | None = getattr(source, f"{name}_attention", None)
        if attention is None:
            continue
        if origin is None:
            silence(attention.out)
            continue
        norm: TokenNorm = getattr(source, f"{name}_norm")
        transfer.norm(getattr(target, f"{name}_norm"), norm, tokens)
        context = tokens if name == "self" else _context(attention, origin)
        carry_attention(transfer, attention, origin, norm, tokens, context)
    if target.feed_forward is None:
        return
    if source is None or source.feed_forward is None:
        silence(target.feed_forward.contract)
        return
    transfer.norm(target.ff_norm, source.ff_norm, tokens)
    carry_feed_forward(transfer, target.feed_forward, source.feed_forward, tokens)


def _context(target: Attention, source: Attention) -> Selection | None:
    """The text's channels; None where it comes from an encoder of another width."""
    before, after = (key_layers(attention)[0].in_features for attention in (source, target))
    return by_position(before, after) if before == after else None


def _token_importance(transfer: Transfer, stack: TransformerStack) -> Tensor:
    """Share of each channel between the stack's projections in what its layers read."""
    shares = [transfer.importance(stack.project_out)]
    for block in _transformers(stack):
        if block.self_attention is not None:
            layers = [block.self_attention.query, *key_layers(block.self_attention)]
            shares += [transfer.importance(layer, block.self_norm) for layer in layers]
        if block.cross_attention is not None:
            shares.append(transfer.importance(block.cross_attention.query, block.cross_norm))
        if block.feed_forward is not None:
            shares.append(transfer.importance(block.feed_forward.expand, block.ff_norm))
    return torch.stack(shares).sum(0)


def _transformers(stack: TransformerStack) -> list[TransformerBlock]:
    return [block for block in stack.blocks if isinstance(block, TransformerBlock)]


def _bias(layer: nn.Conv2d) -> Tensor:
    return cast(Tensor, layer.bias)
