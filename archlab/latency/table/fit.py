"""The whole from its parts: a non-negative sum with few corrections, and how far it is off."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from archlab.architecture import UNetSpec
from archlab.errors import BadInput
from archlab.latency.table.pieces import Piece, PieceKind, pieces
from archlab.latency.table.table import Table

BAND_LEVEL = 0.9

_GROUPS: dict[PieceKind, int] = {
    "residual": 0,
    "self_attention": 1,
    "cross_attention": 2,
    "feed_forward": 3,
    "stack": 4,
    "embedding": 5,
    "conv_in": 5,
    "downsample": 5,
    "upsample": 5,
    "conv_out": 5,
}
_NAMES = (
    "residual",
    "self_attention",
    "cross_attention",
    "feed_forward",
    "stack",
    "other",
    "ms_per_mb",
    "ms_per_piece",
)
_PRIOR = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0])
_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)

Vector = NDArray[np.float64]


class UnknownPiece(BadInput):
    """The table has no timing of a piece."""

    def __init__(self, piece: Piece) -> None:
        super().__init__(f"no timing of {piece.name}")
        self.piece = piece


@dataclass(frozen=True)
class Fit:
    """Weights of what a whole network is made of.

    A network's latency is ``x · weights``. In x are its pieces' milliseconds, less what an idle invocation takes, by
    group; the megabytes of its weights, which a piece alone keeps in the processor's cache and a whole network reads
    anew in every run; and the number of its pieces. The weights minimise the squared relative error plus ``penalty``
    times the squared change of each group's share from a plain sum, none of them negative. The penalty is that of least
    leave-one-out error.

    Attributes:
        errors: relative errors of each network by a fit to the others, sorted.
    """

    parts: "_Parts"
    weights: Vector
    penalty: float
    errors: Vector

    @cached_property
    def band(self) -> float:
        """Relative half-width of the band: the conformal quantile of the leave-one-out errors at `level`."""
        rank = math.ceil((len(self.errors) + 1) * self.level - 1e-9)
        return float(self.errors[rank - 1])

    @property
    def level(self) -> float:
        """Share of architectures that the band is to cover: 0.9, or what so few networks allow."""
        return min(BAND_LEVEL, len(self.errors) / (len(self.errors) + 1))

    def predict_ms(self, spec: UNetSpec) -> float:
        """Latency of the whole.

        Raises:
            UnknownPiece: the table has not all of its pieces.
        """
        return float(self.parts.of(spec) @ self.weights)

    def corrections(self) -> dict[str, float]:
        """The weights by name."""
        return dict(zip(_NAMES, self.weights.tolist(), strict=True))


def fit(table: Table) -> Fit:
    """Fit the corrections to the table's whole networks.

    Raises:
        BadInput: fewer than three were measured; the table is not finished.
    """
    measured = {spec: timing for spec, timing in table.whole["fit"].items() if timing.bursts}
    if len(measured) < 3:
        raise BadInput(f"{len(measured)} whole networks are measured and at least 3 are needed; finish the table first")
    parts = _Parts(table)
    target = np.array([timing.ratio * table.reference_ms for timing in measured.values()])
    rows = np.array([parts.of(spec) for spec in measured]) / target[:, None]
    errors = {penalty: _left_out_errors(rows, penalty) for penalty in _PENALTIES}
    best = min(_PENALTIES, key=lambda penalty: float(np.square(errors[penalty]).mean()))
    return Fit(parts, _weights(rows, best), best, np.sort(errors[best]))


class _Parts:
    """A spec as the features that the fit weighs."""

    def __init__(self, table: Table) -> None:
        reference_ms = table.reference_ms
        idle_ms, idle_mb = table.idle.ratio * reference_ms, table.idle.model_mb
        self._known = {
            piece: self._features(
                piece,
                max(timing.ratio * reference_ms - idle_ms, 0.0),
                max(timing.model_mb - idle_mb, 0.0),
            )
            for piece, timing in table.pieces.items()
            if timing.bursts
        }

    def of(self, spec: UNetSpec) -> Vector:
        """The sum over the spec's pieces."""
        total = np.zeros(len(_PRIOR))
        for piece in pieces(spec):
            try:
                total += self._known[piece]
            except KeyError:
                raise UnknownPiece(piece) from None
        return total

    @staticmethod
    def _features(piece: Piece, net_ms: float, weights_mb: float) -> Vector:
        features = np.zeros(len(_PRIOR))
        features[_GROUPS[piece.kind]] = net_ms
        features[-2:] = weights_mb, 1.0
        return features


def _weights(rows: Vector, penalty: float) -> Vector:
    """Non-negative w that minimises |rows · w − 1|² + penalty · n · |scale ⊙ (w − prior)|²."""
    from scipy.optimize import nnls  # a third of a second that measuring does not need

    scale = np.sqrt(penalty * len(rows) * np.square(rows).mean(axis=0))
    system = np.vstack([rows, np.diag(scale)])
    wanted = np.concatenate([np.ones(len(rows)), scale * _PRIOR])
    found: Vector = nnls(system, wanted)[0]
    return found


def _left_out_errors(rows: Vector, penalty: float) -> Vector:
    """|measured − predicted| ÷ predicted of each row, by weights fitted to the others."""
    predicted = [float(row @ _weights(np.delete(rows, index, axis=0), penalty)) for index, row in enumerate(rows)]
    return np.abs(1 / np.array(predicted) - 1)
