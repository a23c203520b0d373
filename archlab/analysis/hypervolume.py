"""How much of the space of objectives a set of trials covers. Every objective is minimised.

Objectives are scaled to the range of the trials under consideration; the reference point is the worst of each plus a
tenth of its range, so that a new end of the front counts, too. What is covered is given as a share of the box between
the best of every objective and the reference point.
"""

import moocore
import numpy as np
from numpy.typing import ArrayLike

_BEYOND = 0.1  # of the range, from the worst to the reference point


def covered(points: ArrayLike, among: ArrayLike | None = None) -> float:
    """Share that the points [N, M] cover, 0 to 1.

    Args:
        among: the points [K, M] that set scale and reference point; absent: the points themselves.
    """
    scaled = _scaled(points, points if among is None else among)
    return _share(scaled) if len(scaled) else 0.0


def covered_after_each(points: ArrayLike) -> list[float]:
    """Share that the points [N, M] up to each cover; scale and reference point are those of all."""
    scaled = _scaled(points, points)
    front, share, shares = scaled[:0], 0.0, []
    for point in scaled:
        if not (front <= point).all(axis=1).any():
            front = np.vstack([front[(front < point).any(axis=1)], point])
            share = _share(front)
        shares.append(share)
    return shares


def _scaled(points: ArrayLike, among: ArrayLike) -> np.ndarray:
    among = np.asarray(among, dtype=float)
    if not len(among):
        return among
    low, high = among.min(axis=0), among.max(axis=0)
    scaled: np.ndarray = (np.asarray(points, dtype=float) - low) / np.where(high > low, high - low, 1.0)
    return scaled


def _share(scaled: np.ndarray) -> float:
    reference = 1 + _BEYOND
    return float(moocore.hypervolume(scaled, ref=reference)) / float(reference ** scaled.shape[1])
