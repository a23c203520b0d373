"""All the pieces that the architectures of a search space are made of."""

import math
import random
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import fields
from itertools import product
from typing import NamedTuple

from archlab.architecture import ArchitectureError, Transformer
from archlab.latency.table.pieces import PIECE_KINDS, Piece, PieceKind, pieces
from archlab.space import SearchSpace
from archlab.space.knobs import Value

MOST_ENUMERATED = 50_000
DRAWN = 2_000

_CONVOLUTIONS: frozenset[PieceKind] = frozenset({"residual", "downsample", "upsample"})
_CONCERNED: Mapping[str, frozenset[PieceKind]] = {
    **{each.name: frozenset(each.metadata["of"]) for each in fields(Transformer) if "of" in each.metadata},
    "self_attention": frozenset({"self_attention"}),
    "cross_attention": frozenset({"cross_attention"}),
    "ff_ratio": frozenset({"feed_forward"}),
    "feed_forward": frozenset({"feed_forward"}),
    "conv": _CONVOLUTIONS,
    "conv_expansion": _CONVOLUTIONS,
}


class SpacePieces(NamedTuple):
    """The pieces in a fixed order. Unless ``proven``, a rare architecture may have a piece that is not here."""

    pieces: tuple[Piece, ...]
    proven: bool


def pieces_of_space(
    space: SearchSpace,
    width: float = 1.0,
    sample_size: int | None = None,
    *,
    most_enumerated: int = MOST_ENUMERATED,
    drawn: int = DRAWN,
) -> SpacePieces:
    """The distinct pieces of every architecture of the space, scaled.

    A piece of one kind depends on few knobs: those that change the structure, and its own attributes. Their products
    are enumerated, kind by kind, requirements aside: a piece too many costs a second, one too few an estimate. A knob
    that is not known to leave a kind alone concerns it. Where a product has more than ``most_enumerated`` combinations,
    so many architectures are drawn, and each value of every knob, and each pair, is tried.
    """
    distinct = dict.fromkeys(pieces(space.baseline.scaled(width=width, sample_size=sample_size)))
    proven = True
    done: set[frozenset[str]] = set()
    for names in dict.fromkeys(_deciding(space, kind) for kind in PIECE_KINDS):
        if any(names <= larger for larger in done):
            continue
        done.add(names)
        choices, complete = _choices(space, names, most_enumerated, drawn)
        proven = proven and complete
        for values in choices:
            with suppress(ArchitectureError):  # which a requirement may keep out
                distinct |= dict.fromkeys(pieces(space.spec(values).scaled(width=width, sample_size=sample_size)))
    order = {kind: number for number, kind in enumerate(PIECE_KINDS)}
    return SpacePieces(tuple(sorted(distinct, key=lambda piece: (order[piece.kind], piece.name))), proven)


def _deciding(space: SearchSpace, kind: PieceKind) -> frozenset[str]:
    """The knobs that a kind of piece depends on, and those that their conditions speak of."""
    names = {name for name in space.knobs if kind in _CONCERNED.get(name, PIECE_KINDS)}
    while parents := {other for name in names for other in space.knobs[name].when} - names:
        names |= parents
    return frozenset(names)


def _choices(
    space: SearchSpace, names: frozenset[str], most_enumerated: int, drawn: int
) -> tuple[Iterator[dict[str, Value]], bool]:
    """Values of these knobs, and whether they are all there are."""
    domains = {name: space.knobs[name].values for name in space.knobs if name in names}
    if math.prod(map(len, domains.values())) <= most_enumerated:
        return (dict(zip(domains, chosen, strict=True)) for chosen in product(*domains.values())), True
    return _tried(domains, drawn), False


def _tried(domains: Mapping[str, tuple[Value, ...]], drawn: int) -> Iterator[dict[str, Value]]:
    source = random.Random(0)
    for _ in range(drawn):
        yield {name: source.choice(values) for name, values in domains.items()}
    for name, values in domains.items():
        for other, others in domains.items():
            if name < other:
                yield from ({name: value, other: partner} for value in values for partner in others)
