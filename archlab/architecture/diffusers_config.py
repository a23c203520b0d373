"""The config of diffusers' UNet2DConditionModel as a spec. The way back is in `diffusers_obstacles`."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from archlab.architecture.diffusers_keys import complete, flag, per_stage, refusal, whole
from archlab.architecture.parts import AddedConditioning, Block, Stage, Transformer
from archlab.architecture.spec import UNetSpec

_POOLED_TEXT_DIM = 1280
_TIME_IDS = 6
_MOST_REPEATS = 1000


def from_diffusers_config(config: Mapping[str, Any]) -> UNetSpec:
    """The spec of the network that ``UNet2DConditionModel(**config)`` builds.

    Keys that are absent have diffusers' defaults. ``attention_head_dim`` is the number of heads, as in diffusers
    itself. With ``only_cross_attention`` diffusers' first attention looks at the context as well: two transformers in
    a row here, the first with cross-attention alone. Its middle has self-attention nonetheless.

    The config of SDXL's added conditioning has the sum of its widths only: the text is taken to be 1280 wide where
    that leaves whole time ids (6 for SDXL base, 5 for the refiner); otherwise there are 6 time ids.

    Raises:
        ArchitectureError: a spec cannot express the network; the message has the key, its value, and what can be.
    """
    values = complete(config)
    channels = [whole("block_out_channels", width) for width in per_stage(values, "block_out_channels")]
    groups = whole("norm_num_groups", values["norm_num_groups"])
    if any(width % groups for width in channels):
        raise refusal("norm_num_groups", groups, f"it must divide all block_out_channels {channels}")
    if values["time_embedding_dim"] not in (None, 4 * channels[0]):
        right = f"it must be None or 4 times the first of block_out_channels, {4 * channels[0]}"
        raise refusal("time_embedding_dim", values["time_embedding_dim"], right)
    down, up, middle = _side(values, "down", channels), _side(values, "up", channels), _middle(values, channels)
    last = len(channels) - 1
    return UNetSpec(
        sample_size=_sample_size(values["sample_size"]),
        in_channels=whole("in_channels", values["in_channels"]),
        out_channels=whole("out_channels", values["out_channels"]),
        context_dim=_context_dim(values, [*zip(down, up, strict=True)], middle),
        norm_groups=groups,
        stages=tuple(
            Stage(
                channels=width,
                down=down[index],
                up=up[index],
                downsample="standard" if index < last else None,
                upsample="standard" if index > 0 else None,
            )
            for index, width in enumerate(channels)
        ),
        middle=middle,
        added=_added(values),
        guidance_dim=_guidance_dim(values["time_cond_proj_dim"]),
    )


def _side(values: dict[str, Any], side: Literal["down", "up"], channels: Sequence[int]) -> list[tuple[Block, ...]]:
    """The blocks of every stage on the way in or out, from the highest resolution to the lowest."""
    count = len(channels)
    types = per_stage(values, f"{side}_block_types", count)
    depths_key = "transformer_layers_per_block"
    depths = per_stage(values, depths_key, count)
    if side == "up":
        types.reverse()
        if values["reverse_transformer_layers_per_block"] is not None:
            depths_key = "reverse_transformer_layers_per_block"
            depths = per_stage(values, depths_key, count)[::-1]
    layers = [whole("layers_per_block", n, most=_MOST_REPEATS) for n in per_stage(values, "layers_per_block", count)]
    only_cross = [flag("only_cross_attention", value) for value in per_stage(values, "only_cross_attention", count)]

    def blocks(stage: int) -> tuple[Block, ...]:
        number = layers[stage] + (side == "up")
        if not _attends(f"{side}_block_types", types[stage], side):
            return (Block(),) * number
        heads = _heads(values, stage, channels)
        return tuple(
            Block(transformers=_transformers(depth, heads, only_cross[stage]))
            for depth in _depths(depths_key, depths[stage], number)
        )

    return [blocks(stage) for stage in range(count)]


def _middle(values: dict[str, Any], channels: Sequence[int]) -> tuple[Block, ...]:
    if values["mid_block_type"] is None:
        return ()
    if values["mid_block_type"] == "UNetMidBlock2D":
        return (Block(),)
    key = "transformer_layers_per_block"
    (depth,) = _depths(key, per_stage(values, key, len(channels))[-1], 1)
    heads = _heads(values, len(channels) - 1, channels)
    return Block(transformers=_transformers(depth, heads, only_cross=False)), Block()


def _transformers(depth: int, heads: int, only_cross: bool) -> tuple[Transformer, ...]:
    """diffusers' stack of ``depth`` transformers; of an empty one the norm and the projections remain."""
    if depth == 0:
        return (Transformer(heads=heads, self_attention=False, cross_attention=False, ff_ratio=0),)
    if only_cross:
        first = Transformer(heads=heads, self_attention=False, ff_ratio=0)
        return (first, Transformer(heads=heads, self_attention=False)) * depth
    return (Transformer(heads=heads),) * depth


def _attends(key: str, block_type: Any, side: Literal["down", "up"]) -> bool:
    plain, attending = f"{side.title()}Block2D", f"CrossAttn{side.title()}Block2D"
    if block_type not in (plain, attending):
        raise refusal(key, block_type, f"each must be {plain} or {attending}")
    return bool(block_type == attending)


def _depths(key: str, value: Any, number: int) -> list[int]:
    """The depths of the first ``number`` blocks, from one for all or a list."""
    depths = value if isinstance(value, list) else [value] * number
    if len(depths) < number:
        raise refusal(key, value, f"a stage's list needs one number for each of its {number} blocks")
    return [whole(key, depth, least=0, most=_MOST_REPEATS) for depth in depths[:number]]


def _heads(values: dict[str, Any], stage: int, channels: Sequence[int]) -> int:
    heads = whole("attention_head_dim", per_stage(values, "attention_head_dim", len(channels))[stage])
    if channels[stage] % heads:
        right = f"it is the number of heads and must divide the {channels[stage]} channels of stage {stage}"
        raise refusal("attention_head_dim", heads, right)
    return heads


def _context_dim(values: dict[str, Any], stages: Sequence[Sequence[Sequence[Block]]], middle: Sequence[Block]) -> int:
    """The width of the context, which all stages with transformers share."""
    key = "cross_attention_dim"
    widths = [whole(key, width) for width in per_stage(values, key, len(stages))]
    places = [*zip(widths, stages, strict=True), (widths[-1], [middle])]
    used = {width for width, sides in places if any(block.transformers for blocks in sides for block in blocks)}
    if len(used) > 1:
        raise refusal(key, values[key], "all stages with transformers must have the same")
    return used.pop() if used else widths[0]


def _sample_size(value: Any) -> int:
    sides = [whole("sample_size", side) for side in (value if isinstance(value, list) else [value, value])]
    if len(sides) != 2 or sides[0] != sides[1]:
        raise refusal("sample_size", value, "the latent must be square: one number, or two that are equal")
    return sides[0]


def _guidance_dim(value: Any) -> int | None:
    return None if value is None else whole("time_cond_proj_dim", value)


def _added(values: dict[str, Any]) -> AddedConditioning | None:
    if values["addition_embed_type"] is None:
        return None
    time_key, key = "addition_time_embed_dim", "projection_class_embeddings_input_dim"
    time_dim, width = whole(time_key, values[time_key], least=2), whole(key, values[key])
    if time_dim % 2:
        raise refusal(time_key, time_dim, "it must be even")
    time_ids, rest = divmod(width - _POOLED_TEXT_DIM, time_dim)
    if rest or time_ids < 1:
        time_ids = _TIME_IDS
    text_dim = width - time_ids * time_dim
    if text_dim < 1:
        raise refusal(key, width, f"it must be more than {_TIME_IDS} time embeddings, {_TIME_IDS * time_dim}")
    return AddedConditioning(text_dim=text_dim, time_ids=time_ids, time_dim=time_dim)
