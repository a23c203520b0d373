"""A text-to-image UNet written down: plain data, no torch.

Every published UNet of the Stable Diffusion family fits, and so does every architecture a search space can reach.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal

from archlab.errors import BadInput

Conv = Literal["standard", "separable"]
KVSharing = Literal["none", "self", "all"]
Activation = Literal["gelu", "gelu_tanh", "swish", "relu", "hardswish", "mish"]
Normalizer = Literal["softmax", "relu", "softmax->relu"]


_MOST = 1_000_000  # channels, sizes, tokens: beyond any network, and far from what numbers can hold
_MOST_FF_RATIO = 1000


class ArchitectureError(BadInput):
    """A UNet that cannot be built; the message names the part at fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformer:
    """Self-attention, cross-attention and feed-forward, each removable.

    Attributes:
        heads: attention heads; they divide the stage's channels.
        self_attention, cross_attention: whether each is there.
        kv_sharing: where keys and values come from one projection (W_K = W_V).
        ff_ratio: width of the feed-forward's first projection ÷ channels; SD's GEGLU is 8 (2×4). 0: no feed-forward.
        ff_activation, ff_gated: gated is a ⊙ act(b) with the first projection split in halves (GEGLU, SwiGLU, …).
        attention_normalizer: ``relu`` is relu(QKᵀ/√d)/L, L the number of keys (Wortsman et al., arXiv 2309.08586);
            ``softmax->relu`` is trained with softmax, finetuned and deployed with relu.
    """

    heads: int
    self_attention: bool = True
    cross_attention: bool = True
    kv_sharing: KVSharing = "none"
    ff_ratio: float = 8.0
    ff_activation: Activation = "gelu"
    ff_gated: bool = True
    attention_normalizer: Normalizer = "softmax"

    def shares_kv(self, kind: Literal["self", "cross"]) -> bool:
        """Whether keys and values of the self- or cross-attention share one projection."""
        return self.kv_sharing == "all" or (self.kv_sharing == "self" and kind == "self")

    def ff_width(self, channels: int) -> int:
        """Width of the feed-forward's hidden layer (after gating)."""
        return round(self.ff_ratio * channels / (2 if self.ff_gated else 1))

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left of it."""
        return not (self.self_attention or self.cross_attention or self.ff_ratio)

    def canonical(self) -> "Transformer":
        """The same network with every attribute that has no effect at its default."""
        sharing = self.kv_sharing
        if sharing == "all" and not self.cross_attention:
            sharing = "self"
        if sharing == "self" and not self.self_attention:
            sharing = "none"
        has_attention = self.self_attention or self.cross_attention
        return replace(
            self,
            heads=self.heads if has_attention else 1,
            kv_sharing=sharing,
            ff_ratio=float(self.ff_ratio),
            attention_normalizer=self.attention_normalizer if has_attention else "softmax",
            ff_activation=self.ff_activation if self.ff_ratio else "gelu",
            ff_gated=self.ff_gated if self.ff_ratio else True,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A residual block (two 3×3 convolutions) followed by zero or more transformers."""

    conv: Conv = "standard"
    transformers: tuple[Transformer, ...] = ()

    def canonical(self) -> "Block":
        """The same network; of transformers that do nothing one is kept where there is no other, for its norm and
        projections are there."""
        working = tuple(t.canonical() for t in self.transformers if not t.is_empty)
        return replace(self, transformers=working or tuple(t.canonical() for t in self.transformers[:1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One resolution level.

    Attributes:
        channels: width of every block's output in this stage.
        down, up: its blocks on the way in and on the way out.
        downsample: the convolution that halves the resolution after ``down``; None where the next stage keeps it.
        upsample: the convolution after ``up`` that doubles the resolution towards the stage above; None likewise.
    """

    channels: int
    down: tuple[Block, ...]
    up: tuple[Block, ...]
    downsample: Conv | None = None
    upsample: Conv | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedConditioning:
    """SDXL's extra input: a pooled text embedding and ``time_ids`` sizes, each embedded to ``time_dim`` sinusoids."""

    text_dim: int = 1280
    time_ids: int = 6
    time_dim: int = 256

    @property
    def dim(self) -> int:
        """Width of what enters the added embedding (2816 for SDXL)."""
        return self.text_dim + self.time_ids * self.time_dim


@dataclass(frozen=True, kw_only=True)
class UNetSpec:
    """One architecture. Frozen, and a network that can be built whenever its values are of the annotated types.

    Attributes:
        sample_size: side of the square latent.
        in_channels, out_channels: latent channels.
        context_dim, context_length: the text encoder's width and number of tokens.
        norm_groups: groups of every GroupNorm; they divide every stage's channels.
        stages: from the highest resolution to the lowest.
        middle: blocks after the last stage's way down; may be empty.
        added: SDXL-style conditioning, if any.

    Raises:
        ArchitectureError: on construction, for a network that cannot be built.
    """

    sample_size: int
    stages: tuple[Stage, ...]
    middle: tuple[Block, ...]
    in_channels: int = 4
    out_channels: int = 4
    context_dim: int = 768
    context_length: int = 77
    norm_groups: int = 32
    added: AddedConditioning | None = None

    def __post_init__(self) -> None:
        for problem in _problems(self):
            raise ArchitectureError(problem)

    @cached_property
    def id(self) -> str:
        """Content hash: equal exactly when the built networks are the same."""
        canonical = map_blocks(self, lambda block, _: block.canonical())
        text = json.dumps(asdict(canonical), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def deployed(self) -> "UNetSpec":
        """What runs on the device: ``softmax->relu`` is relu there."""
        return map_transformers(
            self,
            lambda t, _: replace(t, attention_normalizer="relu") if t.attention_normalizer == "softmax->relu" else t,
        )

    def scaled(self, *, width: float = 1.0, sample_size: int | None = None) -> "UNetSpec":
        """The same architecture shrunk: channels × ``width``, latents of side ``sample_size``. See `resize`."""
        from archlab.architecture.resize import scale_width

        return replace(scale_width(self, width), sample_size=self.sample_size if sample_size is None else sample_size)

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
    for name in ("sample_size", "in_channels", "out_channels", "context_dim", "context_length", "norm_groups"):
        if (value := getattr(spec, name)) < 1:
            yield f"{name}: must be at least 1 but is {value}"
        elif value > _MOST:
            yield f"{name}: must be at most {_MOST:,} but is {value}"
    if not spec.stages:
        yield "stages: at least one is needed"
        return
    if spec.added:
        yield from _added_problems(spec.added)
    yield from _resampling_problems(spec)
    for index, stage in enumerate(spec.stages):
        if stage.channels < 1 or stage.channels % spec.norm_groups:
            yield (
                f"stages[{index}].channels: {stage.channels} is not a positive multiple of "
                f"norm_groups {spec.norm_groups}"
            )
        elif stage.channels > _MOST:
            yield f"stages[{index}].channels: must be at most {_MOST:,} but is {stage.channels}"
        if not stage.down or not stage.up:
            yield f"stages[{index}]: needs at least one down and one up block"
    if spec.stages[0].channels % 2:
        yield f"stages[0].channels: {spec.stages[0].channels} is odd, the time embedding needs an even number"
    checked: set[tuple[int, int]] = set()
    for name, channels, block in blocks(spec):
        if (channels, id(block)) not in checked:
            checked.add((channels, id(block)))
            for k, transformer in enumerate(block.transformers):
                yield from (
                    f"{name}.transformers[{k}]: {problem}" for problem in _transformer_problems(transformer, channels)
                )


def _added_problems(added: AddedConditioning) -> Iterator[str]:
    sizes = (added.text_dim, added.time_ids, added.time_dim)
    if min(sizes) < 1 or added.time_dim % 2:
        yield f"added: text_dim, time_ids and time_dim are at least 1 and time_dim is even, not {added}"
    elif max(sizes) > _MOST:
        yield f"added: text_dim, time_ids and time_dim are at most {_MOST:,}, not {added}"


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


def _transformer_problems(transformer: Transformer, channels: int) -> Iterator[str]:
    if transformer.heads < 1 or channels % transformer.heads:
        yield f"{transformer.heads} heads do not divide {channels} channels"
    if not transformer.ff_ratio <= _MOST_FF_RATIO:
        yield f"ff_ratio must be a number up to {_MOST_FF_RATIO} but is {transformer.ff_ratio}"
    elif transformer.ff_ratio < 0 or (transformer.ff_ratio and transformer.ff_width(channels) < 1):
        yield f"ff_ratio {transformer.ff_ratio:g} leaves no feed-forward at {channels} channels; take 0 or more"
