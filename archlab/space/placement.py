"""The ``transformers`` knob: where transformers sit, and how deep."""

from dataclasses import replace
from typing import Any

from archlab.architecture import Block, Transformer, UNetSpec, fit_heads
from archlab.errors import BadInput, nearest, shown

_MOST_DEPTH = 64
_DEFAULT_HEADS = 8


def place_transformers(spec: UNetSpec, value: Any) -> UNetSpec:
    """The spec with this many transformers after each residual block.

    Args:
        value: one depth per stage and one for the middle; or a word, which places depth 1:
            ``sd`` in every stage but the innermost, and the middle; ``no_stage0`` the same without stage 0;
            ``low_res`` in the lower half of the stages and the middle; ``middle`` only there; ``none`` nowhere.
            In the middle the last block stays without transformers, as in Stable Diffusion.

    New transformers are like the nearest the spec has: same attributes, its heads' number where all share one, their
    size otherwise.

    Raises:
        BadInput: no such word, a wrong number of depths, or transformers in a middle that does not exist.
    """
    depths = _depths(spec, value)
    if not spec.middle and depths[-1]:
        raise BadInput(f"{shown(value)} puts transformers in the middle, which this baseline does not have")
    own = _own_transformers(spec)

    def refill(block: Block, place: int, depth: int) -> Block:
        kept = block.transformers[:depth]
        missing = depth - len(kept)
        if missing:
            kept += (kept[-1] if kept else _template(spec, own, place),) * missing
        return replace(block, transformers=kept)

    stages = tuple(
        replace(
            stage,
            down=tuple(refill(block, place, depths[place]) for block in stage.down),
            up=tuple(refill(block, place, depths[place]) for block in stage.up),
        )
        for place, stage in enumerate(spec.stages)
    )
    filled = max(1, len(spec.middle) - 1)
    middle = tuple(
        refill(block, len(spec.stages), depths[-1] if k < filled else 0) for k, block in enumerate(spec.middle)
    )
    return replace(spec, stages=stages, middle=middle)


def read_placement(spec: UNetSpec) -> str | tuple[int, ...] | None:
    """The word or the depths that describe the spec, or None."""
    depths = tuple(
        len(blocks[0].transformers) if blocks else 0 for blocks in [stage.down for stage in spec.stages] + [spec.middle]
    )
    if place_transformers(spec, depths) != spec:
        return None
    return next((word for word in _words(spec) if tuple(_depths(spec, word)) == depths), depths)


def _words(spec: UNetSpec) -> dict[str, list[int]]:
    stages = len(spec.stages)
    middle = int(bool(spec.middle))
    return {
        "sd": [int(stage < stages - 1) for stage in range(stages)] + [middle],
        "no_stage0": [int(0 < stage < stages - 1) for stage in range(stages)] + [middle],
        "low_res": [int(2 * stage >= stages) for stage in range(stages)] + [middle],
        "middle": [0] * stages + [1],
        "none": [0] * (stages + 1),
    }


def _depths(spec: UNetSpec, value: Any) -> list[int]:
    words = _words(spec)
    if isinstance(value, str):
        if value not in words:
            raise BadInput(f"no {shown(value)}{nearest(value, words)}; or one depth per stage and middle")
        return words[value]
    places = len(spec.stages) + 1
    if not isinstance(value, (list, tuple)) or len(value) != places:
        raise BadInput(f"takes a word ({', '.join(words)}) or {places} depths, one per stage and the middle")
    if any(type(depth) is not int or not 0 <= depth <= _MOST_DEPTH for depth in value):
        raise BadInput(f"depths are whole numbers from 0 to {_MOST_DEPTH}, not {list(value)}")
    return list(value)


def _own_transformers(spec: UNetSpec) -> dict[int, tuple[Transformer, int]]:
    """The first transformer of each place that has one, with the channels there."""
    own: dict[int, tuple[Transformer, int]] = {}
    for place, blocks in enumerate([*(stage.down + stage.up for stage in spec.stages), spec.middle]):
        first = next((t for block in blocks for t in block.transformers), None)
        if first is not None:
            own[place] = first, _channels(spec, place)
    return own


def _template(spec: UNetSpec, own: dict[int, tuple[Transformer, int]], place: int) -> Transformer:
    channels = _channels(spec, place)
    if not own:
        return fit_heads(Transformer(heads=_DEFAULT_HEADS), channels)
    nearest_place = min(own, key=lambda other: (abs(other - place), -other))
    transformer, width = own[nearest_place]
    if len({t.heads for t, _ in own.values()}) > 1:
        head_size = width // transformer.heads
        transformer = transformer.with_heads(max(1, channels // head_size))
    return fit_heads(transformer, channels)


def _channels(spec: UNetSpec, place: int) -> int:
    return spec.stages[min(place, len(spec.stages) - 1)].channels
