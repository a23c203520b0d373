"""Pieces as networks that any runner measures."""

from archlab.cache import content_hash
from archlab.latency.network import Built, Network
from archlab.latency.table.pieces import Piece


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
