"""Architectures as plain data: specs, presets, layout, files. No torch."""

from archlab.architecture.diff import diff
from archlab.architecture.files import find, from_dict, load, save, to_yaml
from archlab.architecture.layout import Node, layout
from archlab.architecture.match import match, match_stages
from archlab.architecture.presets import preset, preset_source, presets
from archlab.architecture.resize import fit_heads, with_channels
from archlab.architecture.spec import (
    AddedConditioning,
    ArchitectureError,
    Block,
    Stage,
    Transformer,
    UNetSpec,
    blocks,
    map_blocks,
    map_transformers,
)

__all__ = [
    "AddedConditioning",
    "ArchitectureError",
    "Block",
    "Node",
    "Stage",
    "Transformer",
    "UNetSpec",
    "blocks",
    "diff",
    "find",
    "fit_heads",
    "from_dict",
    "layout",
    "load",
    "map_blocks",
    "map_transformers",
    "match",
    "match_stages",
    "preset",
    "preset_source",
    "presets",
    "save",
    "to_yaml",
    "with_channels",
]
