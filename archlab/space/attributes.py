"""Attributes: what some knobs set on every block and transformer of a place, whatever the structure."""

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any

from archlab.architecture import Block, Stage, UNetSpec

Attributes = Mapping[str, Any]  # a block's or its transformers'; ``conv`` is the resampling's as well

_BLOCK_ATTRIBUTES = {attribute.name for attribute in fields(Block)} - {"transformers"}
_REMEMBERED = 8192


def with_attributes(spec: UNetSpec, attributes: Iterable[Attributes]) -> UNetSpec:
    """The spec with these attributes, one mapping for each stage and one for the middle."""
    *stages, middle = (tuple(chosen.items()) for chosen in attributes)
    return replace(
        spec,
        stages=tuple(_change_stage(stage, chosen) for stage, chosen in zip(spec.stages, stages, strict=True)),
        middle=tuple(change_block(block, middle) for block in spec.middle),
    )


Items = tuple[tuple[str, Any], ...]


def _change_stage(stage: Stage, chosen: Items) -> Stage:
    conv = dict(chosen).get("conv")
    return replace(
        stage,
        down=tuple(change_block(block, chosen) for block in stage.down),
        up=tuple(change_block(block, chosen) for block in stage.up),
        downsample=stage.downsample and (conv or stage.downsample),
        upsample=stage.upsample and (conv or stage.upsample),
    )


@lru_cache(maxsize=_REMEMBERED)
def change_block(block: Block, chosen: Items) -> Block:
    """The block with these attributes, and its transformers with theirs; remembered, for spaces repeat themselves."""
    own = {name: value for name, value in chosen if name in _BLOCK_ATTRIBUTES}
    inner = {name: value for name, value in chosen if name not in _BLOCK_ATTRIBUTES}
    return replace(block, transformers=tuple(replace(each, **inner) for each in block.transformers), **own)
