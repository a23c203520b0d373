"""Sums over the operators of a residual block, a stack of transformers, a convolution.

What costs the same is worked out once: the functions are cached by the few numbers that their result follows from.
Their results are shared, so nobody changes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, get_args

from archlab.architecture import AddedConditioning, Conv3x3, Node, Transformer, UNetSpec
from archlab.cost.cost import OperatorKind

KINDS: tuple[OperatorKind, ...] = get_args(OperatorKind)

_INDEX = {kind: index for index, kind in enumerate(KINDS)}
_CACHED = 8192


@dataclass(slots=True)
class Tally:
    """Running sums over operators.

    Attributes:
        params, macs: by kind, in the order of `KINDS`.
        products: those MACs that are attention products.
        vectors: params that are no matrix or convolution: biases, scales and shifts of norms.
        channels: output channels of all matrices and convolutions.
        peak: most elements alive at once.
    """

    params: list[int] = field(default_factory=lambda: [0] * len(KINDS))
    macs: list[int] = field(default_factory=lambda: [0] * len(KINDS))
    products: int = 0
    vectors: int = 0
    channels: int = 0
    peak: int = 0

    def linear(self, kind: OperatorKind, inputs: int, outputs: int, positions: int, bias: bool = True) -> None:
        """A matrix product at each of ``positions`` (also a 1×1 convolution)."""
        self._weights(kind, inputs * outputs, outputs, positions)
        if bias:
            self._vector(kind, outputs)

    def conv3x3(
        self, kind: OperatorKind, conv: Conv3x3, inputs: int, outputs: int, positions_in: int, positions: int
    ) -> int:
        """A 3×3 convolution from ``positions_in`` pixels to ``positions``; the channels between its parts."""
        if conv.conv == "standard":
            self._weights(kind, 9 * inputs * outputs, outputs, positions)
            self._vector(kind, outputs)
            return 0
        width = inputs
        if inner := conv.inner(outputs):
            self._weights(kind, inputs * inner, inner, positions_in)
            width = inner
        self._weights(kind, 9 * width, width, positions)
        self.linear(kind, width, outputs, positions)
        return width

    def norm(self, channels: int) -> None:
        """Scale and shift of a norm of feature maps or tokens."""
        self.scales(2 * channels)

    def scales(self, length: int) -> None:
        """Params of a norm."""
        self._vector("norm", length)

    def product(self, kind: OperatorKind, macs: int) -> None:
        """An attention product."""
        self.macs[_INDEX[kind]] += macs
        self.products += macs

    def alive(self, elements: int) -> None:
        """Note that so many elements live at once."""
        self.peak = max(self.peak, elements)

    def _weights(self, kind: OperatorKind, weights: int, channels: int, positions: int) -> None:
        self.params[_INDEX[kind]] += weights
        self.macs[_INDEX[kind]] += weights * positions
        self.channels += channels

    def _vector(self, kind: OperatorKind, length: int) -> None:
        self.params[_INDEX[kind]] += length
        self.vectors += length


def summed(tallies: Sequence[Tally]) -> Tally:
    """The operators of all of them."""
    return Tally(
        params=[sum(of_kind) for of_kind in zip(*(tally.params for tally in tallies), strict=True)],
        macs=[sum(of_kind) for of_kind in zip(*(tally.macs for tally in tallies), strict=True)],
        products=sum([tally.products for tally in tallies]),
        vectors=sum([tally.vectors for tally in tallies]),
        channels=sum([tally.channels for tally in tallies]),
        peak=max([tally.peak for tally in tallies]),
    )


def node_tallies(node: Node, spec: UNetSpec, time_dim: int) -> list[Tally]:
    """What a node of the layout consists of: a residual block and, if it has one, a stack of transformers."""
    inputs, outputs, positions = node.in_channels + node.skip_channels, node.out_channels, node.out_size**2
    if node.kind != "block":
        return [convolution(node.kind, node.conv3x3, inputs, outputs, node.size**2, positions)]
    residual = residual_block(node.conv3x3, inputs, outputs, positions, time_dim)
    if not node.transformers:
        return [residual]
    stack = transformer_stack(node.transformers, outputs, positions, spec.context_dim, spec.context_length)
    return [residual, stack]


@lru_cache(maxsize=_CACHED)
def embedding(sinusoids: int, time_dim: int, added: AddedConditioning | None, guidance_dim: int | None) -> Tally:
    """The embeddings of the time, of the guidance, and the added one."""
    tally = Tally()
    if guidance_dim is not None:
        tally.linear("embedding", guidance_dim, sinusoids, 1, bias=False)
    for inputs in (sinusoids, added.dim) if added else (sinusoids,):
        tally.linear("embedding", inputs, time_dim, 1)
        tally.linear("embedding", time_dim, time_dim, 1)
    tally.alive(2 * time_dim)
    return tally


@lru_cache(maxsize=_CACHED)
def convolution(
    kind: Literal["conv_in", "downsample", "upsample", "conv_out"],
    conv: Conv3x3,
    inputs: int,
    outputs: int,
    positions_in: int,
    positions: int,
) -> Tally:
    """A convolution between blocks; the last has its norm."""
    tally = Tally()
    if kind == "conv_out":
        tally.norm(inputs)
    operator: OperatorKind = "resampling" if kind == "downsample" or kind == "upsample" else kind
    convolved = positions_in if kind == "downsample" else positions
    width = tally.conv3x3(operator, conv, inputs, outputs, convolved, positions)
    tally.alive(inputs * positions_in + outputs * positions)
    tally.alive(max(inputs * convolved + width * convolved, width * (convolved + positions)) * (width > inputs))
    if kind == "upsample":
        tally.alive(2 * inputs * positions)
    return tally


@lru_cache(maxsize=_CACHED)
def residual_block(conv: Conv3x3, inputs: int, outputs: int, positions: int, time_dim: int) -> Tally:
    """Norms, convolutions, time projection and shortcut."""
    tally = Tally()
    tally.norm(inputs)
    first = tally.conv3x3("residual_conv", conv, inputs, outputs, positions, positions)
    tally.linear("time_projection", time_dim, outputs, 1)
    tally.norm(outputs)
    second = tally.conv3x3("residual_conv", conv, outputs, outputs, positions, positions)
    if inputs != outputs:
        tally.linear("shortcut", inputs, outputs, positions)
    widest = max(2 * inputs, inputs + outputs, 2 * outputs, 2 * first, 2 * second)
    tally.alive((inputs + widest) * positions)
    return tally


@lru_cache(maxsize=_CACHED)
def transformer_stack(
    transformers: tuple[Transformer, ...], channels: int, positions: int, context_dim: int, context_length: int
) -> Tally:
    """Norm, projection in, the transformers, projection out."""
    tally = Tally()
    tally.norm(channels)
    tally.linear("stack_projection", channels, channels, positions)
    tally.linear("stack_projection", channels, channels, positions)
    inside = [transformer(each, channels, positions, context_dim, context_length) for each in transformers]
    return summed([tally, *inside])


@lru_cache(maxsize=_CACHED)
def transformer(each: Transformer, channels: int, positions: int, context_dim: int, context_length: int) -> Tally:
    """Self-attention, cross-attention and feed-forward, those that are there."""
    tally = Tally()
    if each.self_attention:
        _attention(tally, "self", each, channels, channels, positions, positions)
    if each.cross_attention:
        _attention(tally, "cross", each, channels, context_dim, positions, context_length)
    if each.ff_ratio:
        _feed_forward(tally, each, channels, positions)
    return tally


def _attention(
    tally: Tally,
    side: Literal["self", "cross"],
    each: Transformer,
    channels: int,
    key_dim: int,
    queries: int,
    keys: int,
) -> None:
    projection: OperatorKind = "self_attention_projection" if side == "self" else "cross_attention_projection"
    product: OperatorKind = "self_attention_product" if side == "self" else "cross_attention_product"
    keys_and_values = 1 if each.shares_kv(side) else 2
    key_channels = each.key_width(channels)
    tally.norm(channels)
    tally.linear(projection, channels, channels, queries, bias=False)
    for _ in range(keys_and_values):
        tally.linear(projection, key_dim, key_channels, keys, bias=False)
    if each.qk_norm == "rms":
        tally.scales(2 * channels // each.heads)
    tally.linear(projection, channels, channels, queries)
    tally.product(product, 2 * queries * keys * channels)
    residuals = 2 * channels * queries  # the stack's and the transformer's residuals
    scores = each.heads * queries * keys
    tally.alive(residuals + channels * queries + key_channels * keys_and_values * keys + scores)
    tally.alive(residuals + key_channels * keys + 2 * scores)


def _feed_forward(tally: Tally, each: Transformer, channels: int, positions: int) -> None:
    width = each.ff_width(channels)
    expanded = width * (2 if each.ff_gated else 1)
    tally.norm(channels)
    tally.linear("feed_forward", channels, expanded, positions)
    tally.linear("feed_forward", width, channels, positions)
    tally.alive((2 * channels + expanded + width) * positions)
