"""How a spec is wired: every convolution stage and block with its channels, skips and size.

The torch module, the cost formulas and the drawings all follow this one list.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from archlab.architecture.spec import Block, Conv, Transformer, UNetSpec

NodeKind = Literal["conv_in", "block", "downsample", "upsample", "conv_out"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One part of the network in the order of execution.

    Attributes:
        name: ``conv_in``, ``down.<stage>.<k>``, ``downsample.<stage>``, ``middle.<k>``, ``up.<stage>.<k>``,
            ``upsample.<stage>`` or ``conv_out``; also the module's name.
        size: side of the incoming feature map.
        in_channels: channels that arrive from the node before, without the skip.
        skip_channels: channels of the skip that is concatenated; 0 for none.
        skips: how many up blocks will take this node's output as their skip.
    """

    name: str
    kind: NodeKind
    size: int
    in_channels: int
    out_channels: int
    skip_channels: int = 0
    skips: int = 0
    conv: Conv = "standard"
    transformers: tuple[Transformer, ...] = ()

    @property
    def out_size(self) -> int:
        """Side of the outgoing feature map."""
        return {"downsample": self.size // 2, "upsample": self.size * 2}.get(self.kind, self.size)


@lru_cache(maxsize=256)
def layout(spec: UNetSpec) -> tuple[Node, ...]:
    """All nodes in the order of execution.

    Skips: a stage's stack is its input, then each down block's output; each up block pops one; what is left is
    dropped; an up block that finds the stack empty runs without a skip.
    """
    return tuple(_walk(spec))


def _walk(spec: UNetSpec) -> Iterator[Node]:
    size, channels = spec.sample_size, spec.stages[0].channels

    def node(name: str, kind: NodeKind, out_channels: int, *, skip: int = 0, skips: int = 0, **parts: Any) -> Node:
        return Node(
            name=name,
            kind=kind,
            size=size,
            in_channels=channels,
            out_channels=out_channels,
            skip_channels=skip,
            skips=skips,
            **parts,
        )

    def block(name: str, part: Block, out_channels: int, *, skip: int = 0, skips: int = 0) -> Node:
        parts = {"conv": part.conv, "transformers": part.transformers}
        return node(name, "block", out_channels, skip=skip, skips=skips, **parts)

    yield Node(
        name="conv_in",
        kind="conv_in",
        size=size,
        in_channels=spec.in_channels,
        out_channels=channels,
        skips=_taken(spec, 0, 0),
    )
    stacks: list[list[int]] = []
    for index, stage in enumerate(spec.stages):
        stacks.append([channels])
        for k, part in enumerate(stage.down):
            skips = _taken(spec, index, k + 1)
            if k + 1 == len(stage.down) and stage.downsample is None:
                skips += _taken(spec, index + 1, 0)
            yield block(f"down.{index}.{k}", part, stage.channels, skips=skips)
            channels = stage.channels
            stacks[-1].append(channels)
        if stage.downsample is not None:
            skips = _taken(spec, index + 1, 0)
            yield node(f"downsample.{index}", "downsample", channels, skips=skips, conv=stage.downsample)
            size //= 2
    for k, part in enumerate(spec.middle):
        yield block(f"middle.{k}", part, channels)
    for index, stage in reversed(list(enumerate(spec.stages))):
        for k, part in enumerate(stage.up):
            yield block(f"up.{index}.{k}", part, stage.channels, skip=stacks[index].pop() if stacks[index] else 0)
            channels = stage.channels
        if stage.upsample is not None:
            yield node(f"upsample.{index}", "upsample", channels, conv=stage.upsample)
            size *= 2
    yield node("conv_out", "conv_out", spec.out_channels)


def _taken(spec: UNetSpec, index: int, position: int) -> int:
    """1 if an up block pops this entry of the stage's stack (0 is the stage's input, k + 1 its down block k)."""
    if index == len(spec.stages):
        return 0
    stage = spec.stages[index]
    return int(position > len(stage.down) - len(stage.up))
