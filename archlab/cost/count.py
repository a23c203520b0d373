"""Params, MACs and activation memory of a spec, by formula.

Conventions: batch 1; one MAC is one multiply-accumulate of a convolution or matrix product; normalisation,
activations, additions and resampling count nothing; biases count as params and not as MACs. ``macs`` has the attention
products Q·Kᵀ and P·V, ``macs_without_attention`` leaves them out, as fvcore and thop do.
"""

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Literal

from archlab.architecture import Node, Transformer, UNetSpec, layout
from archlab.architecture.spec import Conv

BYTES_PER_ELEMENT = 4  # fp32

PartKind = Literal["embedding", "conv_in", "block", "downsample", "upsample", "conv_out"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartCost:
    """Cost of one part of the network; the fields are those of `Cost`."""

    name: str
    kind: PartKind
    params: int
    macs: int
    macs_without_attention: int
    activation_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Cost of one forward pass at batch 1.

    Attributes:
        params: number of weights.
        macs, macs_without_attention: see the module.
        activation_bytes: most that is alive at once in fp32: the skips waiting, one operator's inputs and outputs, and
            the residual kept aside. Operators run one by one, nothing fused or in place.
        by_block: the parts in the order of execution; their params and MACs add up to the whole.
    """

    params: int
    macs: int
    macs_without_attention: int
    activation_bytes: int
    by_block: tuple[PartCost, ...]

    @property
    def params_m(self) -> float:
        """Params in millions."""
        return self.params / 1e6

    @property
    def macs_g(self) -> float:
        """MACs in billions, attention products included."""
        return self.macs / 1e9

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists."""
        return asdict(self)


def count(spec: UNetSpec) -> Cost:
    """Cost of a spec: no torch, no weights."""
    time_dim = 4 * spec.stages[0].channels
    parts = [_embedding(spec, time_dim)]
    previous = ""
    nodes = layout(spec)
    last_use = {node.skip_from: node.name for node in nodes if node.skip_from}
    waiting: dict[str, int] = {}
    for node in nodes:
        if node.skip_from and last_use[node.skip_from] == node.name:
            waiting.pop(node.skip_from, None)
        tally = _tally(node, time_dim, spec.context_dim, spec.context_length)
        parts.append(_part(node.name, node.kind, tally, sum(waiting.values()) - waiting.get(previous, 0)))
        previous = node.name
        if node.name in last_use:
            waiting[node.name] = node.out_channels * node.out_size**2
    return Cost(
        params=sum(part.params for part in parts),
        macs=sum(part.macs for part in parts),
        macs_without_attention=sum(part.macs_without_attention for part in parts),
        activation_bytes=max(part.activation_bytes for part in parts),
        by_block=tuple(parts),
    )


@dataclass(slots=True)
class _Tally:
    """Running sums over the operators of one part; ``peak`` in elements."""

    params: int = 0
    macs: int = 0
    attention_macs: int = 0
    peak: int = 0

    def linear(self, inputs: int, outputs: int, positions: int, bias: bool = True) -> None:
        """A matrix product at each of ``positions`` (also a 1×1 convolution)."""
        self.params += inputs * outputs + outputs * bias
        self.macs += inputs * outputs * positions

    def conv3x3(self, conv: Conv, inputs: int, outputs: int, positions: int) -> None:
        """A 3×3 convolution with ``positions`` output pixels."""
        if conv == "separable":
            self.params += 9 * inputs
            self.macs += 9 * inputs * positions
            self.linear(inputs, outputs, positions)
        else:
            self.params += 9 * inputs * outputs + outputs
            self.macs += 9 * inputs * outputs * positions

    def norm(self, channels: int) -> None:
        """Scale and shift of a GroupNorm or LayerNorm."""
        self.params += 2 * channels

    def alive(self, elements: int) -> None:
        """Note that so many elements live at once."""
        self.peak = max(self.peak, elements)


@lru_cache(maxsize=65536)
def _tally(node: Node, time_dim: int, context_dim: int, context_length: int) -> _Tally:
    tally = _Tally()
    positions = node.out_size**2
    if node.kind == "block":
        _residual_block(tally, node, time_dim, positions)
        if node.transformers:
            _transformer_stack(tally, node, context_dim, context_length, positions)
    else:
        if node.kind == "conv_out":
            tally.norm(node.in_channels)
        tally.conv3x3(node.conv, node.in_channels, node.out_channels, positions)
        tally.alive(node.in_channels * node.size**2 + node.out_channels * positions)
        if node.kind == "upsample":
            tally.alive(2 * node.in_channels * positions)
    return tally


def _residual_block(tally: _Tally, node: Node, time_dim: int, positions: int) -> None:
    inputs, outputs = node.in_channels + node.skip_channels, node.out_channels
    tally.norm(inputs)
    tally.conv3x3(node.conv, inputs, outputs, positions)
    tally.linear(time_dim, outputs, 1)
    tally.norm(outputs)
    tally.conv3x3(node.conv, outputs, outputs, positions)
    if inputs != outputs:
        tally.linear(inputs, outputs, positions)
    tally.alive(max(3 * inputs, 2 * inputs + outputs, inputs + 2 * outputs) * positions)


def _transformer_stack(tally: _Tally, node: Node, context_dim: int, context_length: int, positions: int) -> None:
    channels = node.out_channels
    tally.norm(channels)
    tally.linear(channels, channels, positions)
    for transformer in node.transformers:
        if transformer.self_attention:
            shared = transformer.shares_kv("self")
            _attention(tally, transformer.heads, channels, channels, positions, positions, shared)
        if transformer.cross_attention:
            shared = transformer.shares_kv("cross")
            _attention(tally, transformer.heads, channels, context_dim, positions, context_length, shared)
        if transformer.ff_ratio:
            _feed_forward(tally, transformer, channels, positions)
    tally.linear(channels, channels, positions)


def _attention(
    tally: _Tally, heads: int, channels: int, key_dim: int, queries: int, keys: int, shared_kv: bool
) -> None:
    tally.norm(channels)
    tally.linear(channels, channels, queries, bias=False)
    for _ in range(1 if shared_kv else 2):
        tally.linear(key_dim, channels, keys, bias=False)
    tally.linear(channels, channels, queries)
    tally.attention_macs += 2 * queries * keys * channels
    kept = 2 * channels * queries  # the stack's and the transformer's residuals
    scores = heads * queries * keys
    tally.alive(kept + channels * (queries + (1 if shared_kv else 2) * keys) + scores)
    tally.alive(kept + channels * keys + 2 * scores)


def _feed_forward(tally: _Tally, transformer: Transformer, channels: int, positions: int) -> None:
    width = transformer.ff_width(channels)
    expanded = width * (2 if transformer.ff_gated else 1)
    tally.norm(channels)
    tally.linear(channels, expanded, positions)
    tally.linear(width, channels, positions)
    tally.alive((2 * channels + expanded + width) * positions)


def _embedding(spec: UNetSpec, time_dim: int) -> PartCost:
    tally = _Tally()
    tally.linear(spec.stages[0].channels, time_dim, 1)
    tally.linear(time_dim, time_dim, 1)
    if spec.added:
        tally.linear(spec.added.dim, time_dim, 1)
        tally.linear(time_dim, time_dim, 1)
    tally.alive(2 * time_dim)
    return _part("embedding", "embedding", tally, 0)


def _part(name: str, kind: PartKind, tally: _Tally, waiting: int) -> PartCost:
    return PartCost(
        name=name,
        kind=kind,
        params=tally.params,
        macs=tally.macs + tally.attention_macs,
        macs_without_attention=tally.macs,
        activation_bytes=(tally.peak + waiting) * BYTES_PER_ELEMENT,
    )
