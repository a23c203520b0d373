"""Bootstrap standard errors over images (Efron and Tibshirani, An Introduction to the Bootstrap, ch. 6).

A resample of N images is how often it has each: [N], summing to N. The images themselves are the resample that has each
once; so a statistic and its error come out of the same formula.
"""

from typing import Any, NamedTuple

import numpy as np

RESAMPLES = 200
_SEED = 0

Float64 = np.ndarray[Any, np.dtype[np.float64]]
Integers = np.ndarray[Any, np.dtype[np.int64]]


class Statistic(NamedTuple):
    """A number computed of images, and its standard error."""

    value: float
    error: float


def resamples(images: int) -> Float64:
    """The images themselves, then 200 resamples, always the same: [201, N]."""
    source = np.random.default_rng(_SEED)
    drawn = source.multinomial(images, np.full(images, 1 / images), size=RESAMPLES)
    return np.vstack([np.ones(images), drawn])


def half_samples(images: int) -> Integers:
    """200 random halves of the images, always the same: [200, N // 2].

    The spread of a statistic over halves is its standard error over the whole: the delete-d jackknife with d = N / 2
    (Shao and Wu, Annals of Statistics 17, 1989). It is for what resampling with repetition distorts, as distances to
    nearest neighbours are.
    """
    source = np.random.default_rng(_SEED)
    return np.stack([source.permutation(images)[: images // 2] for _ in range(RESAMPLES)])


def statistic(values: Float64) -> Statistic:
    """From a statistic of each of `resamples`: [201]."""
    return Statistic(float(values[0]), float(values[1:].std(ddof=1)))


def ratio(amounts: Float64, counts: Float64) -> Statistic:
    """Sum of amounts by sum of counts, of one image each: [N]. Resamples that count nothing are left out."""
    weights = resamples(len(amounts))
    weights = weights[weights @ counts > 0]
    return statistic((weights @ amounts) / (weights @ counts))
