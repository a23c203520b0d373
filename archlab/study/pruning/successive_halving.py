"""Asynchronous successive halving for several objectives: which trials are promoted from a rung.

A trial is compared when it arrives, against all that were at the rung before (ASHA's stopping rule, Li et al. 2020,
arXiv:1810.05934), by non-dominated rank (MO-ASHA, Schmucker et al. 2021, arXiv:2106.12639). Costs are exact and known
before training, so that the rank sees at the first rung already what is expensive *and* bad.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import moocore
import numpy as np

NOISE_MARGIN = math.sqrt(2)  # one standard error of the difference of two qualities, in their standard deviations
_REFERENCE = 2.0  # of hypervolume contributions; 1 is the worst of the others, so that the ends of a front count


class Standing(NamedTuple):
    """A trial at a rung; every objective is minimised.

    Attributes:
        point: the objectives, quality as it is at this rung.
    """

    trial: int
    point: tuple[float, ...]


class Decision(NamedTuple):
    """Whether a trial is promoted from a rung, that is, trained on to the next.

    Attributes:
        rank: how many fronts are before it; 0: nothing at the rung dominates it.
        why: one line.
    """

    goes_on: bool
    rank: int
    why: str


def decide(
    mine: Standing,
    others: Collection[Standing],
    *,
    reduction: int,
    noise: float | None = None,
    quality: int = 0,
) -> Decision:
    """Whether ``mine`` is among the best 1/``reduction`` of all that were at this rung.

    Ordered by non-dominated rank; within a front by hypervolume contribution. The first at a rung is promoted. So is
    a trial that is not among the best, but would be if its quality were better by `NOISE_MARGIN` standard deviations.

    Args:
        others: all others that have been at the rung, whatever became of them.
        noise: standard deviation of a quality as it stands in the points (of a mean, the mean's); None: not known.
        quality: which objective the noise is of.
    """
    seen = len(others) + 1
    places = max(1, seen // reduction)
    rank, place = _place(mine.point, [other.point for other in others])
    first = "the first is" if places == 1 else f"the first {places} are"
    at = f"rank {rank}, place {place + 1} of {seen} at this rung, where {first} promoted"
    if place < places:
        return Decision(True, rank, at)
    if noise:
        better = list(mine.point)
        better[quality] -= NOISE_MARGIN * noise
        if _place(tuple(better), [other.point for other in others])[1] < places:
            return Decision(True, rank, f"{at}; within noise of a promotion")
    return Decision(False, rank, at)


def pooled_noise(qualities_by_trial: Iterable[Sequence[float]]) -> float | None:
    """Standard deviation of quality between seeds, pooled over trials; None while no trial has two seeds."""
    trials = [np.asarray(qualities, dtype=float) for qualities in qualities_by_trial if len(qualities) > 1]
    if not trials:
        return None
    squares = sum(float(((qualities - qualities.mean()) ** 2).sum()) for qualities in trials)
    return math.sqrt(squares / sum(len(qualities) - 1 for qualities in trials))


def _place(point: tuple[float, ...], others: Sequence[tuple[float, ...]]) -> tuple[int, int]:
    """The point's non-dominated rank and how many others come before it.

    A better point never has a later place: the scale and the reference are set by the others alone.
    """
    if not others:
        return 0, 0
    low, high = np.min(others, axis=0), np.max(others, axis=0)
    points = (np.array([point, *others]) - low) / np.where(high > low, high - low, 1.0)
    ranks = moocore.pareto_rank(points)
    front, member = np.unique(points[ranks == ranks[0]], axis=0, return_inverse=True)
    contributions = moocore.hv_contributions(front, ref=_REFERENCE) if len(front) > 1 else np.zeros(1)
    contributions = contributions[member.ravel()]
    return int(ranks[0]), int((ranks < ranks[0]).sum() + (contributions > contributions[0]).sum())
