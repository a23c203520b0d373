"""Attributes: what some knobs set on every block and transformer of a place, whatever the structure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from archlab.architecture import Block, Stage, UNetSpec

Attributes = Mapping[str, Any]  # ``conv`` is the block's and the resampling's; the others are the transformers'


def with_attributes(spec: UNetSpec, attributes: Iterable[Attributes]) -> UNetSpec:
    """The spec with these attributes, one mapping for each stage and one for the middle."""
    *stages, middle = (tuple(chosen.items()) for chosen in attributes)
    return replace(
        spec,
        stages=tuple(_change_stage(stage, chosen) for stage, chosen in zip(spec.stages, stages, strict=True)),
        middle=tuple(_change_block(block, middle) for block in spec.middle),
    )


_Items = tuple[tuple[str, Any], ...]


def _change_stage(stage: Stage, chosen: _Items) -> Stage:
    conv = dict(chosen).get("conv")
    return Stage(
        channels=stage.channels,
        down=tuple(_change_block(block, chosen) for block in stage.down),
        up=tuple(_change_block(block, chosen) for block in stage.up),
        downsample=stage.downsample and (conv or stage.downsample),
        upsample=stage.upsample and (conv or stage.upsample),
    )


@lru_cache(maxsize=8192)
def _change_block(block: Block, chosen: _Items) -> Block:
    changes = dict(chosen)
    return Block(
        conv=changes.pop("conv", block.conv),
        transformers=tuple(replace(transformer, **changes) for transformer in block.transformers),
    )
