"""The same parts at other widths."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from archlab.architecture.parts import ArchitectureError, Block, Stage, Transformer

_CHANNEL_STEP = 8  # SIMD-friendly, and a head of at least this size
_LEAST_GROUPS = 4
_MOST_WIDTH = 100

KeptOfHeads = Literal["count", "width"]  # what of a layer's heads stays when it is shrunk: how many, or their channels


def scaled_widths(channels: Sequence[int], norm_groups: int, width: float) -> tuple[list[int], int]:
    """Every stage's channels times ``width``, and the groups of their norms.

    The groups shrink along, so that a group keeps about its size; channels are rounded to whole groups of 8.

    Raises:
        ArchitectureError: ``width`` is not positive, or absurdly large.
    """
    if not 0 < width <= _MOST_WIDTH:
        raise ArchitectureError(f"width: must be a factor above 0 and up to {_MOST_WIDTH} but is {width}")
    if width == 1:
        return list(channels), norm_groups
    groups = norm_groups
    if width < 1:
        most = max(_LEAST_GROUPS, norm_groups * width)
        groups = max(d for d in range(1, norm_groups + 1) if norm_groups % d == 0 and d <= most)
    step = math.lcm(groups, _CHANNEL_STEP)
    return [max(step, round(before * width / step) * step) for before in channels], groups


def fit_stage(stage: Stage, channels: int, kept: KeptOfHeads) -> Stage:
    """The stage at another width; heads follow."""
    down, up = (
        tuple(fit_block(block, stage.channels, channels, kept) for block in side) for side in (stage.down, stage.up)
    )
    return replace(stage, channels=channels, down=down, up=up)


def fit_block(block: Block, before: int, channels: int, kept: KeptOfHeads) -> Block:
    """The block of ``before`` channels at another width; heads follow."""

    def fit(transformer: Transformer) -> Transformer:
        return fit_heads(transformer, channels, _CHANNEL_STEP if kept == "count" else before // transformer.heads)

    return replace(block, transformers=tuple(map(fit, block.transformers)))


def fit_heads(transformer: Transformer, channels: int, width: int = _CHANNEL_STEP) -> Transformer:
    """The transformer at another width: as many of its heads as divide ``channels`` into ``width`` or more each,
    and into what its positions need."""
    least = min(width, channels)
    dividing = (h for h in range(transformer.heads, 1, -1) if channels % h == 0 and channels // h >= least)
    fitted = (transformer.with_heads(heads) for heads in dividing)
    return next((each for each in fitted if not any(each.problems(channels))), transformer.with_heads(1))
