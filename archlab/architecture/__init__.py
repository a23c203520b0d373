"""Architectures as plain data: specs, presets, layout, files. No torch."""

from archlab.architecture.diff import diff
from archlab.architecture.diffusers_config import from_diffusers_config
from archlab.architecture.diffusers_obstacles import diffusers_obstacles, to_diffusers_config
from archlab.architecture.files import find, from_dict, load, load_diffusers, load_folder, save, to_yaml
from archlab.architecture.layout import Conv3x3, Node, layout
from archlab.architecture.match import match, match_stages
from archlab.architecture.parts import (
    TRANSFORMER_PARTS,
    AddedConditioning,
    ArchitectureError,
    Block,
    Stage,
    Transformer,
    TransformerPart,
    Wording,
    wording,
)
from archlab.architecture.presets import preset, preset_source, presets
from archlab.architecture.resize import KeptOfHeads, fit_heads
from archlab.architecture.spec import UNetSpec, blocks, map_blocks, map_transformers

__all__ = [
    "TRANSFORMER_PARTS",
    "AddedConditioning",
    "ArchitectureError",
    "Block",
    "Conv3x3",
    "KeptOfHeads",
    "Node",
    "Stage",
    "Transformer",
    "TransformerPart",
    "UNetSpec",
    "Wording",
    "blocks",
    "diff",
    "diffusers_obstacles",
    "find",
    "fit_heads",
    "from_dict",
    "from_diffusers_config",
    "layout",
    "load",
    "load_diffusers",
    "load_folder",
    "map_blocks",
    "map_transformers",
    "match",
    "match_stages",
    "preset",
    "preset_source",
    "presets",
    "save",
    "to_diffusers_config",
    "to_yaml",
    "wording",
]
