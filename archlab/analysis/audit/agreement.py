"""How far two scores agree on an order of architectures, with bootstrap intervals. Lower scores are better.

A resample of N architectures is how often it has each: [N], summing to N. A measure of the architectures themselves is
that of the resample that has each once; so thousands of resamples are a few matrix products.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

LEAST = 8  # architectures that tell an order from chance
LEVEL = 0.95
RESAMPLES = 2_000
_RESAMPLING_SEED = 0

Floats = np.ndarray[Any, np.dtype[np.float64]]


class Agreement(NamedTuple):
    """A measure of agreement with both ends of its interval; NaN where an order has nothing but ties."""

    value: float
    low: float
    high: float


def kendall_tau(scores: Floats, truth: Floats, *, resamples: int = RESAMPLES) -> Agreement:
    """Kendall's τ-b (Biometrika 33, 1945): the mean over seeds of how each seed's scores agree with ``truth``.

    Args:
        scores: [S, N], one row a seed.
        truth: [N], or [S, N] where every seed has one of its own.
        resamples: how many the interval is made of.
    """
    ours, theirs = _signs(scores), _signs(np.broadcast_to(truth, scores.shape))

    def tau(resamples: Floats) -> Floats:
        """[R, S] from [R, N]"""

        def pairs(which: Floats) -> Floats:
            products: Floats = np.einsum("srn,rn->rs", resamples @ which, resamples)
            return products

        with np.errstate(invalid="ignore"):
            return pairs(ours * theirs) / np.sqrt(pairs(ours**2) * pairs(theirs**2))

    return _with_interval(tau, scores.shape[1], resamples)


def top_overlap(scores: Floats, truth: Floats, top: int, *, resamples: int = RESAMPLES) -> Agreement:
    """Which share of the best ``top`` by ``truth`` [N] is among the best ``top`` by the scores [S, N], mean over seeds.

    Of architectures that tie for the last places, each has its share of them.
    """
    ours, theirs = _ranked(scores), _ranked(np.broadcast_to(truth, scores.shape))

    def overlap(resamples: Floats) -> Floats:
        """[R, S] from [R, N]"""

        def taken(better: Floats, tied: Floats) -> Floats:
            places = (top - resamples @ better) / np.maximum(resamples @ tied, 1)
            return resamples * np.clip(places, 0, 1)  # [S, R, N]

        both = np.minimum(taken(*ours), taken(*theirs))
        shares: Floats = both.sum(axis=2).T / top
        return shares

    return _with_interval(overlap, scores.shape[1], resamples)


def _with_interval(measure: Callable[[Floats], Floats], architectures: int, number: int) -> Agreement:
    """The measure, and its percentile bootstrap interval over the architectures (Efron and Tibshirani, ch. 13)."""
    source = np.random.default_rng(_RESAMPLING_SEED)
    even = np.full(architectures, 1 / architectures)
    resamples = source.multinomial(architectures, even, size=number).astype(float)
    found = measure(resamples).mean(axis=1)
    value = measure(np.ones((1, architectures))).mean()
    if np.isnan(value):
        return Agreement(np.nan, np.nan, np.nan)
    low, high = np.nanquantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Agreement(float(value), float(low), float(high))


def _signs(scores: Floats) -> Floats:
    """The order of every pair: −1, 0 or 1 [S, N, N]"""
    return np.sign(scores[:, :, None] - scores[:, None, :])


def _ranked(scores: Floats) -> tuple[Floats, Floats]:
    """Which architecture (row) is better than which (column), and which are as good: [S, N, N] each."""
    signs = _signs(scores)
    return (signs < 0).astype(float), (signs == 0).astype(float)
