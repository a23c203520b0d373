"""What an architecture consists of: transformers, blocks, stages, added conditioning. Plain data.

What cost, drawing, latency pieces, inheritance and the way to diffusers need to know about an attribute they read from
its dataclass field, so that a new attribute is written down here once.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from functools import lru_cache
from typing import Any, Literal, NamedTuple, get_args

from archlab.errors import BadInput

Conv = Literal["standard", "separable", "separable_expanded"]
Norm = Literal["group", "rms"]
KVSharing = Literal["none", "self", "all"]
KVHeads = int | Literal["all"]
QKNorm = Literal["none", "rms"]
Positions = Literal["none", "rotary"]
Activation = Literal["gelu", "gelu_tanh", "swish", "relu", "hardswish", "mish"]
Normalizer = Literal["softmax", "relu", "softmax->relu"]
AppliedNormalizer = Literal["softmax", "relu"]  # of ``softmax->relu`` one at a time
TransformerPart = Literal["self_attention", "cross_attention", "feed_forward"]

TRANSFORMER_PARTS: tuple[TransformerPart, ...] = get_args(TransformerPart)
MOST = 1_000_000  # channels, sizes, tokens: beyond any network, and far from what numbers can hold

_MOST_FF_RATIO = 1000
_CACHED = 8192


class ArchitectureError(BadInput):
    """A UNet that cannot be built; the message names the part at fault."""


class Wording(NamedTuple):
    """How an attribute reads where two architectures are compared: ``label 8→4 noun``.

    Attributes:
        label: before the values.
        value: one value in words.
        noun: after the values.
        says_both: whether the value after says what was before, as ``K=V`` does.
    """

    label: str = ""
    value: Callable[[Any], str] = str
    noun: str = ""
    says_both: bool = False


def wording(attribute: "Field[Any]") -> Wording:
    """The attribute's wording; without one of its own its name and its values."""
    own: Wording = attribute.metadata.get("wording", Wording(label=attribute.name.replace("_", " ")))
    return own


def _of(parts: tuple[TransformerPart, ...], words: Wording, knob: str = "", **without: int) -> Mapping[str, Any]:
    """Metadata of an attribute that has no effect but on these parts of a transformer.

    ``knob`` says what is chosen where a search space has the attribute as a knob, which it can where that is there.
    ``without`` is the canonical value where none of the parts is there; otherwise that is the default.
    """
    return {"of": parts, "wording": words, "knob": knob, **without}


_SELF_ATTENTION: tuple[TransformerPart, ...] = ("self_attention",)
_ATTENTIONS: tuple[TransformerPart, ...] = ("self_attention", "cross_attention")
_FEED_FORWARD: tuple[TransformerPart, ...] = ("feed_forward",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformer:
    """Self-attention, cross-attention and feed-forward, each removable.

    Attributes:
        heads: attention heads; they divide the stage's channels.
        self_attention, cross_attention: whether each is there.
        kv_sharing: where keys and values come from one projection (W_K = W_V).
        kv_heads: heads of keys and values, each shared by as many heads of queries; ``all``: every head has its own.
            1 is multi-query (Shazeer, arXiv 1911.02150), a divisor of ``heads`` grouped (arXiv 2305.13245).
        qk_norm: ``rms`` divides each head's queries and keys by their root mean square, times a scale for each of the
            head's channels, which all heads share (Henry et al., arXiv 2010.04245, with RMS norm).
        positions: ``rotary`` turns self-attention's queries and keys by their place (`archlab.unet.rotary`).
        ff_ratio: width of the feed-forward's first projection ÷ channels; SD's GEGLU is 8 (2×4). 0: no feed-forward.
        ff_activation, ff_gated: gated is a ⊙ act(b) with the first projection split in halves (GEGLU, SwiGLU, …).
        attention_normalizer: ``relu`` is relu(QKᵀ/√d)/L, L the number of keys (Wortsman et al., arXiv 2309.08586);
            ``softmax->relu`` is trained with softmax, finetuned and deployed with relu.
    """

    self_attention: bool = True
    cross_attention: bool = True
    kv_sharing: KVSharing = field(
        default="none",
        metadata=_of(
            _ATTENTIONS,
            Wording(value=lambda sharing: "K≠V" if sharing == "none" else "K=V", says_both=True),
            knob="where W_K = W_V",
        ),
    )
    kv_heads: KVHeads = field(
        default="all",
        metadata=_of(
            _ATTENTIONS,
            Wording(noun=" key/value heads"),
            knob="heads of keys and values: 1 is multi-query, a divisor of the heads grouped",
        ),
    )
    qk_norm: QKNorm = field(
        default="none", metadata=_of(_ATTENTIONS, Wording(label="QK norm"), knob="norm of queries and keys")
    )
    positions: Positions = field(
        default="none", metadata=_of(_SELF_ATTENTION, Wording(label="positions"), knob="positions in self-attention")
    )
    attention_normalizer: Normalizer = field(
        default="softmax",
        metadata=_of(
            _ATTENTIONS,
            Wording(value=lambda name: "relu (finetuned)" if name == "softmax->relu" else str(name)),
            knob="softmax or relu(QKᵀ/√d)/L",
        ),
    )
    heads: int = field(metadata=_of(_ATTENTIONS, Wording(noun=" heads"), without=1))
    ff_ratio: float = field(
        default=8.0, metadata={"wording": Wording(value="{:g}".format), "knob": "feed-forward width ÷ channels"}
    )
    ff_activation: Activation = field(
        default="gelu", metadata=_of(_FEED_FORWARD, Wording(), knob="feed-forward activation")
    )
    ff_gated: bool = field(
        default=True, metadata=_of(_FEED_FORWARD, Wording(value={True: "gated", False: "not gated"}.__getitem__))
    )

    @property
    def parts(self) -> tuple[TransformerPart, ...]:
        """Those that are there, in the order of execution."""
        there = (self.self_attention, self.cross_attention, bool(self.ff_ratio))
        return tuple(part for part, is_there in zip(TRANSFORMER_PARTS, there, strict=True) if is_there)

    def shares_kv(self, kind: Literal["self", "cross"]) -> bool:
        """Whether keys and values of the self- or cross-attention share one projection."""
        return self.kv_sharing == "all" or (self.kv_sharing == "self" and kind == "self")

    @property
    def key_heads(self) -> int:
        """How many heads keys and values have."""
        return self.heads if self.kv_heads == "all" else self.kv_heads

    def key_width(self, channels: int) -> int:
        """Width of keys and of values."""
        return channels // self.heads * self.key_heads

    def with_heads(self, heads: int) -> "Transformer":
        """The same with so many heads; of keys and values it has as many heads as it had, or fewer to divide them."""
        if heads == self.heads:
            return self
        kv_heads = self.kv_heads
        if kv_heads != "all":
            kv_heads = next(count for count in range(min(kv_heads, heads), 0, -1) if heads % count == 0)
        return replace(self, heads=heads, kv_heads=kv_heads)

    def ff_width(self, channels: int) -> int:
        """Width of the feed-forward's hidden layer (after gating)."""
        return round(self.ff_ratio * channels / (2 if self.ff_gated else 1))

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left of it."""
        return not (self.self_attention or self.cross_attention or self.ff_ratio)

    def alone(self, part: TransformerPart) -> "Transformer":
        """The transformer with that part of it and no other, canonical: all that decides what the part computes."""
        return _alone(self, part)

    def canonical(self) -> "Transformer":
        """The same network with every attribute that has no effect at its default."""
        return _canonical(self)

    def problems(self, channels: int) -> Iterator[str]:
        """What cannot be built at that width."""
        if self.heads < 1 or channels % self.heads:
            yield f"{self.heads} heads do not divide {channels} channels"
        elif self.key_heads < 1 or self.heads % self.key_heads:
            yield f"kv_heads: {self.key_heads} do not divide {self.heads} heads"
        elif self.positions == "rotary" and self.self_attention and channels // self.heads % 4:
            yield (
                f"positions: rotary ones need heads of a multiple of 4 channels, and {self.heads} heads of {channels} "
                f"channels have {channels // self.heads}"
            )
        if not self.ff_ratio <= _MOST_FF_RATIO:
            yield f"ff_ratio must be a number up to {_MOST_FF_RATIO} but is {self.ff_ratio}"
        elif self.ff_ratio < 0 or (self.ff_ratio and self.ff_width(channels) < 1):
            yield f"ff_ratio {self.ff_ratio:g} leaves no feed-forward at {channels} channels; take 0 or more"


_PARTIAL = tuple(attribute for attribute in fields(Transformer) if "of" in attribute.metadata)


@lru_cache(maxsize=_CACHED)
def _alone(transformer: Transformer, part: TransformerPart) -> Transformer:
    return replace(
        transformer,
        self_attention=part == "self_attention",
        cross_attention=part == "cross_attention",
        ff_ratio=transformer.ff_ratio if part == "feed_forward" else 0.0,
    ).canonical()


@lru_cache(maxsize=_CACHED)
def _canonical(transformer: Transformer) -> Transformer:
    sharing = transformer.kv_sharing
    if sharing == "all" and not transformer.cross_attention:
        sharing = "self"
    if sharing == "self" and not transformer.self_attention:
        sharing = "none"
    parts = transformer.parts
    idle = {
        attribute.name: attribute.metadata.get("without", attribute.default)
        for attribute in _PARTIAL
        if not any(part in parts for part in attribute.metadata["of"])
    }
    kv_heads = "all" if transformer.kv_heads == transformer.heads else transformer.kv_heads
    set_values = {"kv_sharing": sharing, "kv_heads": kv_heads, "ff_ratio": float(transformer.ff_ratio)}
    return replace(transformer, **{**set_values, **idle})


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A residual block (two 3×3 convolutions) followed by zero or more transformers.

    ``conv``: ``separable`` is a 3×3 per channel, then a 1×1; ``separable_expanded`` has a 1×1 to more channels before
    them (see `UNetSpec.conv_expansion`).
    """

    conv: Conv = "standard"
    transformers: tuple[Transformer, ...] = ()

    def canonical(self) -> "Block":
        """The same network; of transformers that do nothing one stays where there is no other, for its norm and
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

    def problems(self) -> Iterator[str]:
        """What cannot be built."""
        sizes = (self.text_dim, self.time_ids, self.time_dim)
        if min(sizes) < 1 or self.time_dim % 2:
            yield f"added: text_dim, time_ids and time_dim are at least 1 and time_dim is even, not {self}"
        elif max(sizes) > MOST:
            yield f"added: text_dim, time_ids and time_dim are at most {MOST:,}, not {self}"
