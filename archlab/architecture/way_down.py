"""A UNet's way down and middle: what a control is made for."""

from dataclasses import replace

from archlab.architecture.parts import Block
from archlab.architecture.spec import UNetSpec


def way_down_id(spec: UNetSpec) -> str:
    """Content hash: equal for UNets that take the same ControlNet, whatever their latents' side and their way up."""
    stages = tuple(
        replace(stage, up=(Block(),), upsample=None if stage.upsample is None else "standard") for stage in spec.stages
    )
    alike = replace(
        spec,
        sample_size=2 ** len(stages),
        out_channels=spec.in_channels,
        context_length=1,
        guidance_dim=None,
        stages=stages,
    )
    return alike.id


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
