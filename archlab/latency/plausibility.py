"""Whether a latency is what MACs and other measurements, or a table, lead one to expect."""

import math
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from archlab.evaluation.latency import Estimate

_LEAST_OTHERS = 6
MOST_OTHERS = 200  # the latest; their slopes are compared pair by pair
_LEAST_FACTOR = 1.3  # within which nothing is doubted
_SCALES = 4.0  # standard deviations of the others about their line
_PER_POWER_BEYOND = 0.5  # the line is known less well beyond the others: this much more for each e-fold


class Measured(NamedTuple):
    """What one architecture computes and what it took."""

    macs_g: float
    ms: float


def unlike_others(one: Measured, others: Sequence[Measured]) -> str | None:
    """Why a latency is to be doubted, compared with others of the same device; None where it is not.

    The logarithm of latency as a line of that of MACs, by the median of pairwise slopes (Theil 1950, Sen 1968), which
    a third of wrong points does not turn. Doubted is what is further from it than `_SCALES` standard deviations, which
    the median absolute deviation of the others gives.
    """
    others = others[-MOST_OTHERS:]
    if len(others) < _LEAST_OTHERS:
        return None
    from scipy.stats import median_abs_deviation, theilslopes

    x, y = [math.log(each.macs_g) for each in others], [math.log(each.ms) for each in others]
    slope = float(theilslopes(y, x).slope) if len(set(x)) > 1 else 0.0
    level = median(b - slope * a for a, b in zip(x, y, strict=True))
    residuals = [b - slope * a - level for a, b in zip(x, y, strict=True)]
    beyond = max(min(x) - math.log(one.macs_g), math.log(one.macs_g) - max(x), 0.0)
    allowed = max(_SCALES * float(median_abs_deviation(residuals, scale="normal")), math.log(_LEAST_FACTOR))
    expected_ms = math.exp(level + slope * math.log(one.macs_g))
    if abs(math.log(one.ms / expected_ms)) <= allowed + _PER_POWER_BEYOND * beyond:
        return None
    return f"{one.ms:.3g} ms where MACs and {len(others)} others lead to {expected_ms:.3g} ms"


def unlike_estimate(ms: float, estimate: Estimate) -> str | None:
    """Why a latency is to be doubted, compared with a table's estimate; None where it is not."""
    if estimate.low_ms / _LEAST_FACTOR <= ms <= estimate.high_ms * _LEAST_FACTOR:
        return None
    return f"{ms:.3g} ms where the table leads to {estimate.low_ms:.3g} to {estimate.high_ms:.3g} ms"
