"""A UNet's way down and middle: what a control is made for."""

import hashlib
import json
from dataclasses import asdict

from archlab.architecture.spec import UNetSpec, map_blocks


def way_down_id(spec: UNetSpec) -> str:
    """Content hash: equal for UNets that take the same ControlNet, whatever their latents' side and their way up."""
    canonical = map_blocks(spec, lambda block, _: block.canonical())
    content = {
        "in_channels": spec.in_channels,
        "context_dim": spec.context_dim,
        "norm_groups": spec.norm_groups,
        "added": None if spec.added is None else asdict(spec.added),
        "stages": [[s.channels, [asdict(block) for block in s.down], s.downsample] for s in canonical.stages],
        "middle": [asdict(block) for block in canonical.middle],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def way_down_in_words(spec: UNetSpec) -> str:
    """``latents of 4 channels, stages of 320, 640 and 1280 channels with 2, 2 and 2 blocks, a middle of 2``"""
    stages = spec.stages
    middle = f"a middle of {len(spec.middle)}" if spec.middle else "no middle"
    return (
        f"latents of {spec.in_channels} channels, stages of {_listed([stage.channels for stage in stages])} channels "
        f"with {_listed([len(stage.down) for stage in stages])} blocks, {middle}"
    )


def _listed(numbers: list[int]) -> str:
    words = list(map(str, numbers))
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
