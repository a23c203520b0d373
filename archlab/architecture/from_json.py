"""A spec from what `UNetSpec.to_dict` gave, and JSON kept. It is trusted: what others wrote is read by `files`."""

from typing import Any

from archlab.architecture.parts import AddedConditioning, Block, Stage, Transformer
from archlab.architecture.spec import UNetSpec


def spec_of_json(plain: dict[str, Any]) -> UNetSpec:
    """The architecture from JSON."""
    added = plain["added"]
    return UNetSpec(
        **plain
        | {
            "stages": tuple(map(_stage, plain["stages"])),
            "middle": tuple(map(_block, plain["middle"])),
            "added": None if added is None else AddedConditioning(**added),
        }
    )


def _stage(plain: dict[str, Any]) -> Stage:
    return Stage(**plain | {"down": tuple(map(_block, plain["down"])), "up": tuple(map(_block, plain["up"]))})


def _block(plain: dict[str, Any]) -> Block:
    return Block(**plain | {"transformers": tuple(Transformer(**transformer) for transformer in plain["transformers"])})
