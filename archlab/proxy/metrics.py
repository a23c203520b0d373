"""The Fréchet distance between two sets of features, in float64."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archlab.errors import BadInput

Float64 = NDArray[np.float64]
_LEAST_SAMPLES = 2


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Mean [D] and unbiased covariance [D, D] of ``count`` features."""

    mean: Float64
    covariance: Float64
    count: int


def fit_gaussian(features: NDArray[Any]) -> Gaussian:
    """Fit to features [N, D].

    Raises:
        BadInput: fewer than two samples, which have no covariance.
    """
    count, dim = features.shape
    if count < _LEAST_SAMPLES:
        raise BadInput(
            f"a Fréchet distance of {dim}-dimensional features needs at least {_LEAST_SAMPLES} samples "
            f"(and well above {dim} to mean much), got N = {count}"
        )
    exact = features.astype(np.float64)
    return Gaussian(exact.mean(0), np.cov(exact, rowvar=False).reshape(dim, dim), count)


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """|m₁ − m₂|² + tr(S₁ + S₂ − 2 (S₁ S₂)^½), the FID of Heusel et al. (arXiv 1706.08500).

    The trace of the root is the sum of the roots of the eigenvalues of S₁^½ S₂ S₁^½, which is symmetric and
    so has real ones.
    """
    values, vectors = np.linalg.eigh(first.covariance)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    mixed = np.linalg.eigvalsh(root @ second.covariance @ root)
    shift = first.mean - second.mean
    spread = np.trace(first.covariance) + np.trace(second.covariance) - 2 * np.sqrt(mixed.clip(min=0)).sum()
    return float(max(0.0, shift @ shift + spread))
