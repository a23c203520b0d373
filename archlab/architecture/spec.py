"""A text-to-image UNet written down: plain data, no torch.

Every published UNet of the Stable Diffusion family fits, and so does every architecture of a search space.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any

from archlab.architecture.parts import (
    MOST,
    AddedConditioning,
    ArchitectureError,
    Block,
    Norm,
    Stage,
    Transformer,
    Wording,
)
from archlab.architecture.resize import KeptOfHeads, fit_block, fit_stage, scaled_widths
from archlab.registry import Registry

_MOST_EXPANSION = 16
_VIEWS: Registry[Callable[["UNetSpec"], str]] = Registry(
    {"html": "archlab.drawing.notebook:as_html"}
)  # above this package
_ALWAYS_HASHED = {
    *("sample_size", "stages", "middle", "in_channels", "out_channels", "context_dim", "context_length"),
    *("norm_groups", "added", "text_dim", "time_ids", "time_dim"),
    *("channels", "down", "up", "downsample", "upsample", "conv", "transformers"),
    *("self_attention", "cross_attention", "kv_sharing", "attention_normalizer", "heads"),
    *("ff_ratio", "ff_activation", "ff_gated"),
}  # hashes are written down in many a study: whatever attribute comes later is hashed only where it says something


@dataclass(frozen=True, kw_only=True)
class UNetSpec:
    """One architecture. Frozen, and a network that can be built whenever its values are of the annotated types.

    Attributes:
        sample_size: side of the square latent.
        in_channels, out_channels: latent channels.
        context_dim, context_length: the text encoder's width and number of tokens.
        norm_groups: groups of every GroupNorm; they divide every stage's channels.
        norm: ``group`` is Stable Diffusion's: GroupNorm of feature maps, LayerNorm of tokens; ``rms`` is RMS norm of
            both, over the channels of each position, with scale and shift (as in DC-AE, arXiv 2410.10733).
        conv_expansion: channels between the 1×1 convolutions of ``separable_expanded`` ones ÷ those that come out.
        stages: from the highest resolution to the lowest.
        middle: blocks after the last stage's way down; may be empty.
        added: SDXL-style conditioning, if any.
        guidance_dim: width of the embedding of the guidance scale that LCM-distilled UNets take
            (``time_cond_proj_dim``; Luo et al. 2023, section 4.3); None without.

    Raises:
        ArchitectureError: on construction, for a network that cannot be built.
    """

    sample_size: int = field(metadata={"wording": Wording(label="latent")})
    stages: tuple[Stage, ...]
    middle: tuple[Block, ...]
    in_channels: int = field(default=4, metadata={"wording": Wording(label="latent channels in")})
    out_channels: int = field(default=4, metadata={"wording": Wording(label="latent channels out")})
    context_dim: int = field(default=768, metadata={"wording": Wording(label="context width")})
    context_length: int = 77
    norm_groups: int = 32
    added: AddedConditioning | None = field(default=None, metadata={"wording": Wording(label="added conditioning")})
    guidance_dim: int | None = field(default=None, metadata={"wording": Wording(label="guidance embedding")})
    norm: Norm = field(default="group", metadata={"knob": "norm of feature maps and tokens"})
    conv_expansion: float = field(
        default=2.0,
        metadata={
            "wording": Wording(label="conv expansion", value="{:g}".format),
            "knob": "inner width of expanded separable convolutions ÷ channels",
        },
    )

    def __post_init__(self) -> None:
        for problem in _problems(self):
            raise ArchitectureError(problem)

    def __repr__(self) -> str:
        channels = " ".join(str(stage.channels) for stage in self.stages)
        latents = f"{self.in_channels}×{self.sample_size}×{self.sample_size}"
        return f"<UNetSpec {self.id}: channels {channels}, latents {latents}>"

    def _repr_html_(self) -> str:
        """The network drawn, for notebooks."""
        return _VIEWS["html"](self)

    @cached_property
    def id(self) -> str:
        """Content hash: equal exactly when the built networks are the same."""
        content = asdict(self.canonical(), dict_factory=_hashed)
        text = json.dumps(content, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def canonical(self) -> "UNetSpec":
        """The same network with every attribute that has no effect at its default."""
        convs = {stage.downsample for stage in self.stages} | {stage.upsample for stage in self.stages}
        convs |= {block.conv for _, _, block in blocks(self)}
        expansion = float(self.conv_expansion) if "separable_expanded" in convs else _DEFAULTS["conv_expansion"]
        return replace(map_blocks(self, lambda block, _: block.canonical()), conv_expansion=expansion)

    @property
    def deployed(self) -> "UNetSpec":
        """What runs on the device: ``softmax->relu`` is relu there."""
        return map_transformers(
            self,
            lambda t, _: replace(t, attention_normalizer="relu") if t.attention_normalizer == "softmax->relu" else t,
        )

    def scaled(self, *, width: float = 1.0, sample_size: int | None = None, heads: KeptOfHeads = "count") -> "UNetSpec":
        """The same architecture shrunk: channels × ``width``, latents of side ``sample_size``.

        GroupNorm's groups shrink along, so that a group keeps about its size; channels are rounded to whole groups of
        8. Of heads their ``count`` stays where they keep at least 8 channels each, or their ``width``, with as many as
        then divide the channels. ``width`` 1 leaves the channels alone.

        Raises:
            ArchitectureError: ``width`` is not positive, or absurdly large.
        """
        channels, groups = scaled_widths([stage.channels for stage in self.stages], self.norm_groups, width)
        resized = self if width == 1 else self.with_channels(channels, norm_groups=groups, heads=heads)
        return resized if sample_size is None else replace(resized, sample_size=sample_size)

    def with_channels(
        self, channels: Sequence[int], norm_groups: int | None = None, heads: KeptOfHeads = "count"
    ) -> "UNetSpec":
        """The spec with these channels, one per stage; heads follow (see `fit_heads`).

        Raises:
            ArchitectureError: a wrong number of stages, or channels that the groups do not divide.
        """
        if len(channels) != len(self.stages):
            raise ArchitectureError(f"channels: {len(self.stages)} stages need as many numbers, got {len(channels)}")
        return replace(
            self,
            stages=tuple(fit_stage(stage, width, heads) for stage, width in zip(self.stages, channels, strict=True)),
            middle=tuple(fit_block(block, self.stages[-1].channels, channels[-1], heads) for block in self.middle),
            norm_groups=norm_groups or self.norm_groups,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and dictionaries, everything explicit."""
        return asdict(self)


def blocks(spec: UNetSpec) -> Iterator[tuple[str, int, Block]]:
    """Every block as (name, channels, block): ``down.0.0`` … , ``middle.0`` … , ``up.0.0`` …"""
    for index, stage in enumerate(spec.stages):
        yield from ((f"down.{index}.{k}", stage.channels, block) for k, block in enumerate(stage.down))
    yield from ((f"middle.{k}", spec.stages[-1].channels, block) for k, block in enumerate(spec.middle))
    for index, stage in enumerate(spec.stages):
        yield from ((f"up.{index}.{k}", stage.channels, block) for k, block in enumerate(stage.up))


def map_blocks(spec: UNetSpec, change: Callable[[Block, int], Block]) -> UNetSpec:
    """Rebuild the spec with ``change(block, place)`` for every block; ``place`` is a stage index or the number of
    stages for the middle."""
    stages = tuple(
        replace(
            stage,
            down=tuple(change(block, index) for block in stage.down),
            up=tuple(change(block, index) for block in stage.up),
        )
        for index, stage in enumerate(spec.stages)
    )
    return replace(spec, stages=stages, middle=tuple(change(block, len(spec.stages)) for block in spec.middle))


def map_transformers(spec: UNetSpec, change: Callable[[Transformer, int], Transformer]) -> UNetSpec:
    """Rebuild the spec with ``change(transformer, place)`` for every transformer."""
    return map_blocks(
        spec,
        lambda block, place: (
            replace(block, transformers=tuple(change(t, place) for t in block.transformers))
            if block.transformers
            else block
        ),
    )


def _problems(spec: UNetSpec) -> Iterator[str]:
    sizes = ("sample_size", "in_channels", "out_channels", "context_dim", "context_length", "norm_groups")
    for name in sizes if spec.guidance_dim is None else (*sizes, "guidance_dim"):
        if (value := getattr(spec, name)) < 1:
            yield f"{name}: must be at least 1 but is {value}"
        elif value > MOST:
            yield f"{name}: must be at most {MOST:,} but is {value}"
    if not spec.stages:
        yield "stages: at least one is needed"
        return
    if spec.added:
        yield from spec.added.problems()
    if not 1 <= spec.conv_expansion <= _MOST_EXPANSION:
        yield f"conv_expansion: must be a number from 1 to {_MOST_EXPANSION} but is {spec.conv_expansion:g}"
    yield from _resampling_problems(spec)
    for index, stage in enumerate(spec.stages):
        if stage.channels < 1 or stage.channels % spec.norm_groups:
            yield (
                f"stages[{index}].channels: {stage.channels} is not a positive multiple of "
                f"norm_groups {spec.norm_groups}"
            )
        elif stage.channels > MOST:
            yield f"stages[{index}].channels: must be at most {MOST:,} but is {stage.channels}"
        if not stage.down or not stage.up:
            yield f"stages[{index}]: needs at least one down and one up block"
    if spec.stages[0].channels % 2:
        yield f"stages[0].channels: {spec.stages[0].channels} is odd, the time embedding needs an even number"
    checked: set[tuple[int, int]] = set()
    for name, channels, block in blocks(spec):
        if (channels, id(block)) not in checked:
            checked.add((channels, id(block)))
            for k, transformer in enumerate(block.transformers):
                yield from (f"{name}.transformers[{k}]: {problem}" for problem in transformer.problems(channels))


def _resampling_problems(spec: UNetSpec) -> Iterator[str]:
    if spec.stages[0].upsample is not None:
        yield "stages[0].upsample: there is no stage above the first"
    if spec.stages[-1].downsample is not None:
        yield f"stages[{len(spec.stages) - 1}].downsample: there is no stage below the last"
    halvings = 0
    for index, (stage, below) in enumerate(zip(spec.stages, spec.stages[1:], strict=False)):
        if (stage.downsample is None) != (below.upsample is None):
            yield f"stages[{index}].downsample and stages[{index + 1}].upsample: both or neither"
        halvings += stage.downsample is not None
    if spec.sample_size % 2**halvings:
        yield (f"sample_size: {spec.sample_size} cannot be halved {halvings} times; take a multiple of {2**halvings}")


_DEFAULTS: dict[str, Any] = {
    attribute.name: attribute.default
    for part in (UNetSpec, Stage, Block, Transformer, AddedConditioning)
    for attribute in fields(part)
}


def _hashed(attributes: list[tuple[str, Any]]) -> dict[str, Any]:
    """Those of a part that its hash is made of."""
    return {name: value for name, value in attributes if name in _ALWAYS_HASHED or value != _DEFAULTS[name]}
