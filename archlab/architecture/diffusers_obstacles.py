"""Which specs diffusers' UNet2DConditionModel can express, and the config of those."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from typing import Any

from archlab.architecture.parts import ArchitectureError, Block, Stage, Transformer, TransformerPart
from archlab.architecture.spec import UNetSpec, blocks

_MOST_NAMED = 3


def to_diffusers_config(spec: UNetSpec) -> dict[str, Any]:
    """Arguments with which ``UNet2DConditionModel(**config)`` is this network; `from_diffusers_config` reads them.

    Raises:
        ArchitectureError: diffusers cannot express it; the message has all of `diffusers_obstacles`.
    """
    if obstacles := diffusers_obstacles(spec):
        raise ArchitectureError(f"diffusers' UNet2DConditionModel has no place for: {'; '.join(obstacles)}")
    sides = [(stage.down, stage.up) for stage in spec.stages]
    config = {
        "sample_size": spec.sample_size,
        "in_channels": spec.in_channels,
        "out_channels": spec.out_channels,
        "block_out_channels": [stage.channels for stage in spec.stages],
        "layers_per_block": _common([len(stage.down) for stage in spec.stages]),
        "down_block_types": [f"{'CrossAttn' * _attend(down)}DownBlock2D" for down, _ in sides],
        "mid_block_type": (None, "UNetMidBlock2D", "UNetMidBlock2DCrossAttn")[len(spec.middle)],
        "up_block_types": [f"{'CrossAttn' * _attend(up)}UpBlock2D" for _, up in reversed(sides)],
        "only_cross_attention": _common([any(map(_crosses_twice, (*down, *up))) for down, up in sides]),
        "attention_head_dim": _common([max(_heads(spec, index), default=1) for index in range(len(spec.stages))]),
        "cross_attention_dim": spec.context_dim,
        "norm_num_groups": spec.norm_groups,
        "use_linear_projection": True,
        **_depths(spec),
    }
    if spec.guidance_dim is not None:
        config["time_cond_proj_dim"] = spec.guidance_dim
    if spec.added is not None:
        config |= {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": spec.added.time_dim,
            "projection_class_embeddings_input_dim": spec.added.dim,
        }
    return config


def diffusers_obstacles(spec: UNetSpec) -> list[str]:
    """Why diffusers cannot express the network: reasons, each with the blocks and stages at fault. Empty: it can."""
    places: dict[str, list[str]] = defaultdict(list)
    for reason, place in _faults(spec):
        if place not in places[reason]:
            places[reason].append(place)
    return [f"{reason} ({_shortened(where)})" for reason, where in places.items()]


def transformer_parts(transformers: Iterable[Transformer]) -> list[tuple[int, TransformerPart]]:
    """The attentions and feed-forwards in order, each with the index of its transformer.

    diffusers' transformers have three parts each: two attentions and a feed-forward.
    """
    return [(index, part) for index, transformer in enumerate(transformers) for part in transformer.parts]


def _faults(spec: UNetSpec) -> Iterator[tuple[str, str]]:
    """Each reason with a place."""
    spec = spec.canonical()
    for attribute in fields(UNetSpec):
        if attribute.name not in _EXPRESSED_BY_CONFIG and getattr(spec, attribute.name) != attribute.default:
            yield f"{attribute.name} other than {attribute.default}", "the whole network"
    for name, channels, block in blocks(spec):
        yield from ((reason, name) for reason in _block_faults(block, channels))
    last = len(spec.stages) - 1
    for index, stage in enumerate(spec.stages):
        yield from ((reason, f"stages[{index}]") for reason in _stage_faults(stage))
        for conv in sorted({stage.downsample or "standard", stage.upsample or "standard"} - {"standard"}):
            yield f"{conv} resampling", f"stages[{index}]"
        if index < last and stage.downsample is None:
            yield "no halving to the next stage", f"stages[{index}]"
        if len(_heads(spec, index)) > 1:
            yield "different numbers of heads in one stage or in the last stage and the middle", f"stages[{index}]"
    yield from ((reason, "middle") for reason in _middle_faults(spec))


def _block_faults(block: Block, channels: int) -> Iterator[str]:
    yield from _unexpressed(block, ("transformers",))
    for transformer in map(Transformer.canonical, block.transformers):
        yield from _unexpressed(transformer, _EXPRESSED_BY_STRUCTURE)
        if transformer.ff_gated and transformer.ff_ratio and transformer.ff_width(channels) != 4 * channels:
            yield "an ff_ratio other than 8"
    if not re.fullmatch("(scf)*|(ccf)*", _pattern(block)):
        yield "transformers other than self- (or cross-) attention, cross-attention, feed-forward"


def _unexpressed(part: Block | Transformer, expressed: Sequence[str]) -> Iterator[str]:
    """Attributes that are not as diffusers has them, for which a spec's defaults stand."""
    for attribute in fields(part):
        value = getattr(part, attribute.name)
        if attribute.name not in expressed and value != attribute.default:
            say = _REASONS.get(attribute.name, lambda value, name=attribute.name: f"{name} {value}")
            yield say(value)


def _stage_faults(stage: Stage) -> Iterator[str]:
    if len(stage.up) != len(stage.down) + 1:
        yield "up blocks that are not one more than the down blocks"
    for side in (stage.down, stage.up):
        if _attend(side) and not all(block.transformers for block in side):
            yield "blocks with and without transformers on one side of a stage"
    if len({_crosses_twice(block) for block in (*stage.down, *stage.up) if _pattern(block)}) > 1:
        yield "self-attention in some transformers of a stage only"


def _middle_faults(spec: UNetSpec) -> Iterator[str]:
    attending = [bool(block.transformers) for block in spec.middle]
    beside = spec.stages[-1].down[0]
    if attending not in ([], [False], [True, False]):
        yield "a middle other than one block without transformers, or one with and then one without"
    elif spec.middle and _crosses_twice(spec.middle[0]):
        yield "a middle without self-attention"
    elif any(attending) and beside.transformers and _depth(spec.middle[0]) != _depth(beside):
        yield "more or fewer transformers than in the first down block of the last stage"


def _depths(spec: UNetSpec) -> dict[str, Any]:
    """How many transformers each block has, on the way in and, where that says something else, on the way out."""
    down = [_common([_depth(b) for b in stage.down]) if _attend(stage.down) else None for stage in spec.stages]
    up = [_common([_depth(b) for b in stage.up]) if _attend(stage.up) else None for stage in spec.stages]
    if down[-1] is None and _attend(spec.middle):
        down[-1] = _depth(spec.middle[0])
    shared = [_common([n for n in pair if n is not None] or [1]) for pair in zip(down, up, strict=True)]
    if not any(isinstance(depth, list) for depth in shared):
        return {"transformer_layers_per_block": _common(shared)}
    return {
        "transformer_layers_per_block": [1 if depth is None else depth for depth in down],
        "reverse_transformer_layers_per_block": [1 if depth is None else depth for depth in reversed(up)],
    }


def _heads(spec: UNetSpec, stage: int) -> set[int]:
    """The numbers of heads in a stage; the middle counts as the last stage."""
    part = spec.stages[stage]
    middle = spec.middle if stage == len(spec.stages) - 1 else ()
    return {
        transformer.heads
        for block in (*part.down, *part.up, *middle)
        for transformer in block.transformers
        if transformer.self_attention or transformer.cross_attention
    }


def _attend(side: Sequence[Block]) -> bool:
    return any(block.transformers for block in side)


def _pattern(block: Block) -> str:
    """One letter for each part: ``scf`` for self-attention, cross-attention, feed-forward."""
    return "".join(part[0] for _, part in transformer_parts(block.transformers))


def _crosses_twice(block: Block) -> bool:
    return _pattern(block).startswith("cc")


def _depth(block: Block) -> int:
    """How many of diffusers' transformers the block has."""
    return len(_pattern(block)) // 3


def _common(values: list[Any]) -> Any:
    """One value where all are equal, as most configs have it; otherwise the list."""
    return values[0] if all(value == values[0] for value in values) else values


# Attributes that a config expresses by block types, depths and numbers, or refuses by `_faults` and its parts.
_EXPRESSED_BY_STRUCTURE = ("heads", "self_attention", "cross_attention", "ff_ratio")
_EXPRESSED_BY_CONFIG = (
    *("sample_size", "in_channels", "out_channels", "context_dim", "norm_groups", "stages", "middle"),
    *("added", "guidance_dim"),
    "context_length",  # diffusers takes any
)
_REASONS: dict[str, Callable[[Any], str]] = {
    "conv": "{} convolutions".format,
    "kv_sharing": lambda _: "shared keys and values",
    "attention_normalizer": "attention with {}".format,
    "ff_gated": lambda _: "a feed-forward without a gate",
    "ff_activation": "a feed-forward with {}".format,
}


def _shortened(places: Sequence[str]) -> str:
    rest = len(places) - _MOST_NAMED
    return ", ".join(places[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")
