"""Features of real images, and the distances and kernels between features."""

from functools import cached_property

import numpy as np

from archlab.scores.resampling import Float64

NEIGHBOURS = 3  # as Kynkäänniemi et al. recommend (arXiv 1904.06991)
_ROWS_AT_ONCE = 512


class RealFeatures:
    """Features of real images [M, D], and what the metrics need to know of them, each computed once."""

    def __init__(self, features: Float64) -> None:
        self.features = features

    @cached_property
    def mean(self) -> Float64:
        """[D]"""
        mean: Float64 = self.features.mean(0)
        return mean

    @cached_property
    def variance(self) -> float:
        """Trace of the unbiased covariance."""
        return float(self.features.var(axis=0, ddof=1).sum())

    @cached_property
    def root(self) -> Float64:
        """Symmetric square root of the unbiased covariance: [D, D]."""
        values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(self.features, rowvar=False)))
        root: Float64 = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
        return root

    @cached_property
    def kernel_mean(self) -> float:
        """Mean of the kernel over all pairs of two different images."""
        count, rows = len(self.features), range(0, len(self.features), _ROWS_AT_ONCE)
        total = sum(kernel(self.features[row : row + _ROWS_AT_ONCE], self.features).sum() for row in rows)
        return float((total - own_kernel(self.features).sum()) / (count * (count - 1)))

    @cached_property
    def radii(self) -> Float64:
        """Squared distance of each image to its third nearest: [M]."""
        return radii_of(squared_distances(self.features, self.features))


def kernel(first: Float64, second: Float64) -> Float64:
    """(x·y / D + 1)³ of all pairs: [N, D] and [M, D] → [N, M] (Bińkowski et al., arXiv 1801.01401)."""
    kernel: Float64 = (first @ second.T / first.shape[1] + 1) ** 3
    return kernel


def own_kernel(features: Float64) -> Float64:
    """Of each image with itself: [N]."""
    kernel: Float64 = ((features**2).mean(1) + 1) ** 3
    return kernel


def squared_distances(first: Float64, second: Float64) -> Float64:
    """[N, D] and [M, D] → [N, M]"""
    norms = (first**2).sum(1)[:, None] + (second**2).sum(1)
    squared: Float64 = (norms - 2 * first @ second.T).clip(min=0)
    return squared


def radii_of(among: Float64) -> Float64:
    """Squared distance of each image to its third nearest, itself apart: [N, N] → [N]."""
    radii: Float64 = np.partition(among, NEIGHBOURS, axis=1)[:, NEIGHBOURS]
    return radii
