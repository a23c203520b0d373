"""How a spec is wired: every convolution stage and block with its channels, skips and size.

The torch module, the cost formulas and the drawings all follow this one list.
"""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from archlab.architecture.parts import Block, Conv, Norm, Transformer
from archlab.architecture.spec import UNetSpec

NodeKind = Literal["conv_in", "block", "downsample", "upsample", "conv_out"]


class Conv3x3(NamedTuple):
    """A kind of 3×3 convolutions, and how far expanded ones are expanded."""

    conv: Conv
    expansion: float

    def inner(self, out_channels: int) -> int | None:
        """Channels within an expanded one that gives out so many; None for another kind."""
        return round(self.expansion * out_channels) if self.conv == "separable_expanded" else None


class Node(NamedTuple):
    """One part of the network in the order of execution.

    Attributes:
        name: ``conv_in``, ``down.<stage>.<k>``, ``downsample.<stage>``, ``middle.<k>``, ``up.<stage>.<k>``,
            ``upsample.<stage>`` or ``conv_out``; also the module's name.
        size: side of the incoming feature map.
        in_channels: channels that arrive from the node before, without the skip.
        skip_channels: channels of the skip that is concatenated; 0 for none.
        skip_from: the node whose output that skip is.
        block: the block; of a convolution between blocks its ``conv`` alone says something.
        norm: of its feature maps and tokens, where it normalises them.
        conv_expansion: of its convolutions, where they are expanded.
    """

    name: str
    kind: NodeKind
    size: int
    in_channels: int
    out_channels: int
    skip_channels: int = 0
    skip_from: str | None = None
    block: Block = Block()
    norm: Norm = "group"
    conv_expansion: float = 2.0

    @property
    def conv(self) -> Conv:
        """The kind of its 3×3 convolutions."""
        return self.block.conv

    @property
    def conv3x3(self) -> Conv3x3:
        """What kind its 3×3 convolutions are of, all told."""
        return Conv3x3(self.conv, self.conv_expansion)

    @property
    def transformers(self) -> tuple[Transformer, ...]:
        """The block's transformers."""
        return self.block.transformers

    @property
    def out_size(self) -> int:
        """Side of the outgoing feature map."""
        if self.kind == "downsample":
            return self.size // 2
        return self.size * 2 if self.kind == "upsample" else self.size


def layout(spec: UNetSpec) -> tuple[Node, ...]:
    """All nodes in the order of execution.

    Skips: a stage's stack is its input, then each down block's output; each up block pops one; what is left is
    dropped; an up block that finds the stack empty runs without a skip.
    """
    return tuple(_walk(spec))


def _walk(spec: UNetSpec) -> Iterator[Node]:
    size, channels, last = spec.sample_size, spec.in_channels, ""

    def node(name: str, kind: NodeKind, out_channels: int, **parts: Any) -> Node:
        nonlocal channels, last
        if kind in ("block", "conv_out"):
            parts["norm"] = spec.norm
        if "block" in parts and parts["block"].conv == "separable_expanded":
            parts["conv_expansion"] = spec.conv_expansion
        made = Node(name=name, kind=kind, size=size, in_channels=channels, out_channels=out_channels, **parts)
        channels, last = out_channels, name
        return made

    def block(name: str, part: Block, out_channels: int, **skip: Any) -> Node:
        return node(name, "block", out_channels, block=part, **skip)

    yield node("conv_in", "conv_in", spec.stages[0].channels)
    stacks: list[list[tuple[str, int]]] = []
    for index, stage in enumerate(spec.stages):
        stacks.append([(last, channels)])
        for k, part in enumerate(stage.down):
            yield block(f"down.{index}.{k}", part, stage.channels)
            stacks[-1].append((last, channels))
        if stage.downsample is not None:
            yield node(f"downsample.{index}", "downsample", channels, block=Block(conv=stage.downsample))
            size //= 2
    for k, part in enumerate(spec.middle):
        yield block(f"middle.{k}", part, channels)
    for index, stage in reversed(list(enumerate(spec.stages))):
        for k, part in enumerate(stage.up):
            skip_from, skip_channels = stacks[index].pop() if stacks[index] else (None, 0)
            name = f"up.{index}.{k}"
            yield block(name, part, stage.channels, skip_from=skip_from, skip_channels=skip_channels)
        if stage.upsample is not None:
            yield node(f"upsample.{index}", "upsample", channels, block=Block(conv=stage.upsample))
            size *= 2
    yield node("conv_out", "conv_out", spec.out_channels)
