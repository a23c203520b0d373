"""A UNet taken apart into the pieces whose latencies add up to its own."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar, Literal, get_args

from pydantic import ConfigDict

from archlab.architecture import Block, Node, Transformer, UNetSpec, layout
from archlab.cache import content_hash
from archlab.evaluation.fact import STRICT, to_plain

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

_CACHED = 65536

# A piece is known by everything in the spec but what is named here. So a new attribute tells pieces apart from the
# start, whether it is thought of here or not.
_IN_NODES = {  # attributes of a UNetSpec
    *("sample_size", "stages", "middle", "in_channels", "out_channels", "norm", "conv_expansion"),
}
_CONTEXT = {"context_dim", "context_length"}
_CONDITIONS = {"added", "guidance_dim"}
_WITHOUT: dict[PieceKind, set[str]] = {  # of the whole UNet's attributes those that a kind does not have in it
    "embedding": {"norm_groups", *_CONTEXT},
    "conv_in": {"first_channels", "norm_groups", *_CONDITIONS, *_CONTEXT},
    "residual": {*_CONDITIONS, *_CONTEXT},
    "stack": {"first_channels", *_CONDITIONS, *_CONTEXT},
    "self_attention": {"first_channels", "norm_groups", *_CONDITIONS, *_CONTEXT},
    "cross_attention": {"first_channels", "norm_groups", *_CONDITIONS},
    "feed_forward": {"first_channels", "norm_groups", *_CONDITIONS, *_CONTEXT},
    "downsample": {"first_channels", "norm_groups", *_CONDITIONS, *_CONTEXT},
    "upsample": {"first_channels", "norm_groups", *_CONDITIONS, *_CONTEXT},
    "conv_out": {"first_channels", *_CONDITIONS, *_CONTEXT},
}

Plain = int | float | str | bool | None
Attributes = tuple[tuple[str, Plain | tuple[tuple[str, Plain], ...]], ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of a UNet, by everything that decides its latency.

    ``stack`` is a transformer stack's norm and projections without its transformers; of those, self-attention,
    cross-attention and feed-forward are pieces each, with their norms and residuals.

    Attributes:
        node: its place in the layout without its name, and without what the piece does not contain; None for the
            embedding, which has none.
        unet: names and values of the whole UNet's attributes that reach into it; ``first_channels`` are those of the
            first stage, whose fourfold is the width of the time embedding.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    kind: PieceKind
    node: Node | None
    unet: Attributes

    @property
    def id(self) -> str:
        """Content hash."""
        return content_hash("piece", to_plain(self))

    @property
    def name(self) -> str:
        """For people, what is not at its default: ``conv_in(in_channels=4, out_channels=320, size=64)``."""
        facts = self.facts()
        return f"{self.kind}({', '.join(f'{name}={value}' for name, value in sorted(facts.items()))})"

    def facts(self) -> dict[str, Any]:
        """What is not at its default, by name."""
        facts: dict[str, Any] = dict(self.unet)
        if self.node is not None:
            node = self.node._asdict()
            block = asdict(node.pop("block"))
            for part in (node, block, *block.pop("transformers")):
                facts |= {name: value for name, value in part.items() if value != _DEFAULTS[name]}
            del facts["kind"]
        return facts


_DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(Node._fields),
    **Node._field_defaults,
    **{attribute.name: attribute.default for part in (Block, Transformer) for attribute in fields(part)},
    "name": "",
}


def pieces(spec: UNetSpec) -> list[Piece]:
    """The pieces of the deployed UNet in the order of execution; those that occur several times, several times."""
    return list(_walk(spec.deployed))


def _walk(spec: UNetSpec) -> Iterator[Piece]:
    unet = _attributes(spec)
    yield Piece("embedding", None, _reaching("embedding", unet))
    for node in layout(spec):
        if node.kind == "block":
            yield from _block(node, unet)
        else:
            yield Piece(node.kind, _nameless(node), _reaching(node.kind, unet))


def _attributes(spec: UNetSpec) -> Attributes:
    """Of the whole UNet, those that its nodes do not have."""
    own = {each.name: getattr(spec, each.name) for each in fields(spec) if each.name not in _IN_NODES}
    own["first_channels"] = spec.stages[0].channels
    return tuple((name, _plain(value)) for name, value in sorted(own.items()))


@lru_cache(maxsize=_CACHED)
def _reaching(kind: PieceKind, unet: Attributes) -> Attributes:
    return tuple((name, value) for name, value in unet if name not in _WITHOUT[kind])


@lru_cache(maxsize=_CACHED)
def _nameless(node: Node) -> Node:
    return node._replace(name="", skip_from=None)


@lru_cache(maxsize=_CACHED)
def _block(node: Node, unet: Attributes) -> tuple[Piece, ...]:
    bare = _nameless(node)._replace(block=replace(node.block, transformers=()))
    residual = Piece("residual", bare, _reaching("residual", unet))
    if not node.transformers:
        return (residual,)
    block = replace(node.block, conv=_DEFAULTS["conv"], transformers=())
    after = bare._replace(
        in_channels=node.out_channels, skip_channels=0, block=block, conv_expansion=_DEFAULTS["conv_expansion"]
    )
    parts = [
        Piece(
            part, after._replace(block=replace(block, transformers=(transformer.alone(part),))), _reaching(part, unet)
        )
        for transformer in node.transformers
        for part in transformer.parts
    ]
    return residual, Piece("stack", after, _reaching("stack", unet)), *parts


def _plain(value: Any) -> Any:
    """The value; what is a dataclass by names and values."""
    return tuple(asdict(value).items()) if is_dataclass(value) and not isinstance(value, type) else value
