"""The same architecture at other widths."""

import math
from collections.abc import Sequence
from dataclasses import replace

from archlab.architecture.spec import ArchitectureError, Block, Transformer, UNetSpec

_CHANNEL_STEP = 8  # SIMD-friendly, and a head of at least this size
_LEAST_GROUPS = 4
_MOST_WIDTH = 100


def scale_width(spec: UNetSpec, width: float) -> UNetSpec:
    """Multiply every stage's channels by ``width``.

    GroupNorm's groups shrink along, so that a group keeps about its size; channels are rounded to whole groups of
    8; head counts stay where the heads keep at least 8 channels each. ``width`` 1 gives back ``spec``.

    Raises:
        ArchitectureError: ``width`` is not positive, or absurdly large.
    """
    if not 0 < width <= _MOST_WIDTH:
        raise ArchitectureError(f"width: must be a factor above 0 and up to {_MOST_WIDTH} but is {width}")
    if width == 1:
        return spec
    groups = spec.norm_groups
    if width < 1:
        most = max(_LEAST_GROUPS, spec.norm_groups * width)
        groups = max(d for d in range(1, spec.norm_groups + 1) if spec.norm_groups % d == 0 and d <= most)
    step = math.lcm(groups, _CHANNEL_STEP)
    channels = [max(step, round(stage.channels * width / step) * step) for stage in spec.stages]
    return with_channels(spec, channels, norm_groups=groups)


def with_channels(spec: UNetSpec, channels: Sequence[int], norm_groups: int | None = None) -> UNetSpec:
    """The spec with these channels, one per stage; heads follow (see `fit_heads`).

    Raises:
        ArchitectureError: a wrong number of stages, or channels that the groups do not divide.
    """
    if len(channels) != len(spec.stages):
        raise ArchitectureError(f"channels: {len(spec.stages)} stages need as many numbers, got {len(channels)}")
    stages = tuple(
        replace(
            stage,
            channels=width,
            down=tuple(_fit_block(block, width) for block in stage.down),
            up=tuple(_fit_block(block, width) for block in stage.up),
        )
        for stage, width in zip(spec.stages, channels, strict=True)
    )
    middle = tuple(_fit_block(block, channels[-1]) for block in spec.middle)
    return replace(spec, stages=stages, middle=middle, norm_groups=norm_groups or spec.norm_groups)


def fit_heads(transformer: Transformer, channels: int) -> Transformer:
    """The transformer at another width: as many of its heads as divide ``channels`` into 8 or more each."""
    least = min(_CHANNEL_STEP, channels)
    heads = next((h for h in range(transformer.heads, 1, -1) if channels % h == 0 and channels // h >= least), 1)
    return transformer if heads == transformer.heads else replace(transformer, heads=heads)


def _fit_block(block: Block, channels: int) -> Block:
    return replace(block, transformers=tuple(fit_heads(t, channels) for t in block.transformers))
