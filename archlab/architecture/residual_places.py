"""Where a control network may add something to a UNet's feature maps, and of which shapes."""

from typing import NamedTuple

from archlab.architecture.layout import layout
from archlab.architecture.parts import Stage
from archlab.architecture.spec import UNetSpec


class Place(NamedTuple):
    """A feature map: square, of this side."""

    channels: int
    size: int


class ResidualPlaces(NamedTuple):
    """All places of a UNet.

    Attributes:
        skips: each entry of the stages' stacks, in order: what a ControlNet adds to.
        middle: what the middle gives out, or the last stage where there is no middle.
        stages: one of each stage, where its way down ends: what a T2I-Adapter adds to.
    """

    skips: tuple[Place, ...]
    middle: Place
    stages: tuple[Place, ...]


def residual_places(spec: UNetSpec) -> ResidualPlaces:
    """The places of an architecture."""
    skips: list[Place] = []
    stages: list[Place] = []
    nodes = {node.name: node for node in layout(spec)}
    last = Place(spec.stages[0].channels, spec.sample_size)
    for index, stage in enumerate(spec.stages):
        skips.append(last)
        for k in range(len(stage.down)):
            last = Place(stage.channels, nodes[f"down.{index}.{k}"].size)
            skips.append(last)
        before = last
        if stage.downsample is not None:
            last = Place(stage.channels, last.size // 2)
        stages.append(last if adds_after_halving(stage) else before)
    return ResidualPlaces(tuple(skips), last, tuple(stages))


def adds_after_halving(stage: Stage) -> bool:
    """Whether a T2I-Adapter's feature is added to what the stage hands to the next one, not to its last block's output.

    So diffusers has it in stages without transformers.
    """
    return stage.downsample is not None and not any(block.transformers for block in stage.down)
