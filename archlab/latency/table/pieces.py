"""A UNet taken apart into the pieces whose latencies add up to its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

from archlab.architecture import Node, Transformer, UNetSpec, layout
from archlab.cache import content_hash
from archlab.latency.network import Built, Network

PieceKind = Literal[
    "embedding",
    "conv_in",
    "residual",
    "stack",
    "self_attention",
    "cross_attention",
    "feed_forward",
    "downsample",
    "upsample",
    "conv_out",
]
PIECE_KINDS: tuple[PieceKind, ...] = get_args(PieceKind)


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of a UNet, by everything that decides its latency.

    ``stack`` is a transformer stack's norm and projections without its transformers; of those, self-attention,
    cross-attention and feed-forward are pieces each, with their norms and residuals.

    Attributes:
        facts: names and values, as `archlab.latency.table.modules` takes them.
    """

    kind: PieceKind
    facts: tuple[tuple[str, Any], ...]

    @property
    def id(self) -> str:
        """Content hash."""
        return content_hash("piece", self.kind, self.facts)

    @property
    def name(self) -> str:
        """The kind and all facts, for people: ``conv_in(in_channels=4, out_channels=320, size=64)``."""
        return f"{self.kind}({', '.join(f'{name}={value}' for name, value in self.facts)})"


def pieces(spec: UNetSpec) -> list[Piece]:
    """The pieces of the deployed UNet in the order of execution; those that occur several times, several times."""
    return list(_walk(spec.deployed))


def piece_from_dict(kind: PieceKind, facts: dict[str, Any]) -> Piece:
    """A piece written down; facts are sorted by name."""
    return Piece(kind, tuple(sorted(facts.items())))


def _walk(spec: UNetSpec) -> Iterator[Piece]:
    first = spec.stages[0].channels
    added = spec.added
    yield piece_from_dict(
        "embedding",
        {
            "channels": first,
            "dim": 4 * first,
            "added": (added.text_dim, added.time_ids, added.time_dim) if added else None,
        },
    )
    for node in layout(spec):
        if node.kind == "block":
            yield from _block(node, 4 * first, spec.context_dim, spec.context_length, spec.norm_groups)
        else:
            yield _convolution(node, spec.norm_groups)


@lru_cache(maxsize=65536)
def _convolution(node: Node, norm_groups: int) -> Piece:
    facts: dict[str, Any] = {"in_channels": node.in_channels, "out_channels": node.out_channels, "size": node.size}
    if node.kind in ("downsample", "upsample"):
        facts |= {"conv": node.conv}
    elif node.kind == "conv_out":
        facts |= {"norm_groups": norm_groups}
    return piece_from_dict(node.kind, facts)  # type: ignore[arg-type]  # a block never comes here


@lru_cache(maxsize=65536)
def _block(node: Node, time_dim: int, context_dim: int, context_length: int, norm_groups: int) -> tuple[Piece, ...]:
    residual = piece_from_dict(
        "residual",
        {
            "in_channels": node.in_channels,
            "skip_channels": node.skip_channels,
            "out_channels": node.out_channels,
            "size": node.size,
            "conv": node.conv,
            "time_dim": time_dim,
            "norm_groups": norm_groups,
        },
    )
    if not node.transformers:
        return (residual,)
    feature_map = {"channels": node.out_channels, "size": node.size}
    stack = piece_from_dict("stack", {**feature_map, "norm_groups": norm_groups})
    context = {"context_dim": context_dim, "context_length": context_length}
    parts = (part for transformer in node.transformers for part in _transformer(transformer, feature_map, context))
    return residual, stack, *parts


def _transformer(transformer: Transformer, feature_map: dict[str, int], context: dict[str, int]) -> Iterator[Piece]:
    attention = {**feature_map, "heads": transformer.heads, "normalizer": transformer.attention_normalizer}
    if transformer.self_attention:
        yield piece_from_dict("self_attention", {**attention, "shared_kv": transformer.shares_kv("self")})
    if transformer.cross_attention:
        shared = transformer.shares_kv("cross")
        yield piece_from_dict("cross_attention", {**attention, **context, "shared_kv": shared})
    if transformer.ff_ratio:
        yield piece_from_dict(
            "feed_forward",
            {
                **feature_map,
                "ratio": float(transformer.ff_ratio),
                "activation": transformer.ff_activation,
                "gated": transformer.ff_gated,
            },
        )


def piece_network(piece: Piece, channels_last: bool) -> Network:
    """For any runner; see `archlab.latency.table.modules.build_piece`."""

    def build(seed: int) -> Built:
        from archlab.latency.table.modules import build_piece

        return build_piece(piece, channels_last, seed)

    return Network(id=content_hash(piece.id, channels_last), name=piece.name, build=build)


def idle_network() -> Network:
    """Next to nothing: what any invocation takes, however little it computes."""

    def build(seed: int) -> Built:
        from archlab.latency.table.modules import build_idle

        return build_idle(seed)

    return Network(id=content_hash("idle convolution"), name="idle convolution", build=build)
