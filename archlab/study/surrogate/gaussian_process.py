"""Quality as a Gaussian process over architectures and rungs: the surrogate of a multi-fidelity search.

The logarithm of a quality is the sum of its rung's own mean, free; a slope along a trend that is known before any
training, the steeper the longer it is trained; a function of the architecture's features whose values at two rungs
correlate (Matérn 5/2 times ρ to the number of rungs between them, in the manner of freeze-thaw optimisation, Swersky et
al. 2014, arXiv:1406.3896); a discrepancy, a smaller such function that hardly correlates, whose length scales are not
learnt: a knob that decides nothing at the lower rungs may still decide at the last (Kennedy and O'Hagan 2000,
doi:10.1093/biomet/87.1.1, have discrepancies between fidelities); and a part that is the architecture's alone, likewise
correlated. Differences between architectures grow towards the lower rungs. Hyperparameters are those of the highest
posterior density under tight priors.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from scipy.special import expit, logit

Floats = NDArray[np.float64]
Integers = NDArray[np.int_]

MEAN_SD = 3.0  # of a rung's mean, in log quality: as good as free
SLOPE = 0.5  # by how many standard deviations of the signal one sd of the trend is more at the last rung
SLOPE_BEFORE = 0.8  # of it, at the rung before
DISCREPANCY = 0.4  # its standard deviation, in the signal's
DISCREPANCY_RUNG = 0.4  # its correlation at one rung and the next
DISCREPANCY_LENGTH = 1.5
JITTER = 1e-6  # variance
_MOST_ITERATIONS = 40


@dataclass(frozen=True)
class Hyperparameters:
    """Standard deviations are of log quality at the last rung.

    Attributes:
        signal: standard deviation of what features explain.
        own: standard deviation of what is an architecture's alone.
        rung: correlation of the signal at one rung and the next.
        own_rung: likewise, of the architecture's own part.
        growth: how much larger all differences are at the rung before.
        lengths: length scale of every group of features.
    """

    signal: float
    own: float
    rung: float
    own_rung: float
    growth: float
    lengths: tuple[float, ...]


class _Prior(NamedTuple):
    """Normal, of a hyperparameter's logarithm; of a correlation's logit."""

    mean: float
    sd: float


_PRIORS = {
    "signal": _Prior(np.log(0.1), 0.5),
    "own": _Prior(np.log(0.02), 0.5),
    "rung": _Prior(logit(0.9), 0.5),
    "own_rung": _Prior(logit(0.7), 0.5),
    "growth": _Prior(np.log(1.3), 0.15),
}
_LENGTH = _Prior(np.log(2.0), 0.5)


@dataclass(frozen=True, eq=False)
class Inputs:
    """What qualities are of: architecture and rung, [N] of each.

    Attributes:
        features: [N, D].
        trend: [N], by how many standard deviations their values are expected to be above others', before any is seen.
        architecture: [N], equal for what is of the same architecture.
        rung: [N], how many rungs before the last.
    """

    features: Floats
    trend: Floats
    architecture: Integers
    rung: Integers

    def __len__(self) -> int:
        return len(self.rung)

    def at(self, rung: int | Integers) -> "Inputs":
        """The same architectures at another rung."""
        return Inputs(self.features, self.trend, self.architecture, np.broadcast_to(rung, self.rung.shape))

    def __getitem__(self, index: Integers | slice) -> "Inputs":
        return Inputs(self.features[index], self.trend[index], self.architecture[index], self.rung[index])


def together(parts: Sequence[Inputs]) -> Inputs:
    """One after the other."""
    columns = [[getattr(part, name) for part in parts] for name in ("features", "trend", "architecture", "rung")]
    return Inputs(*(np.concatenate(column) for column in columns))


class Posterior(NamedTuple):
    """Mean and standard deviation of log quality, [N] each."""

    mean: Floats
    sd: Floats


class GaussianProcess:
    """The process, given what was seen.

    Args:
        groups: [D], for every feature the length scale that it shares.
        seen: N inputs.
        values: [N], log quality.
    """

    def __init__(self, given: Hyperparameters, groups: Integers, seen: Inputs, values: Floats) -> None:
        self.given, self.groups, self.seen, self.values = given, groups, seen, values
        covariance = self.covariance(seen, seen)
        covariance[np.diag_indices_from(covariance)] += JITTER
        self._factor = cho_factor(covariance, lower=True, check_finite=False)
        self._weights = cho_solve(self._factor, values - self.mean(seen), check_finite=False)

    def mean(self, inputs: Inputs) -> Floats:
        """The prior's, [N]."""
        return _slope(self.given.signal, inputs)

    def covariance(self, mine: Inputs, others: Inputs) -> Floats:
        """The prior's, [N, M]."""
        given, between = self.given, _Between(mine, others)
        lengths = np.array(given.lengths)[self.groups]
        matern, _ = _matern(cdist(mine.features / lengths, others.features / lengths))
        discrepancy = DISCREPANCY**2 * _near(mine, others) * DISCREPANCY_RUNG**between.gaps
        shared = given.signal**2 * (matern * given.rung**between.gaps + discrepancy)
        own = given.own**2 * between.is_same * given.own_rung**between.gaps
        return np.asarray(between.scale(given.growth) * (shared + own) + MEAN_SD**2 * (between.gaps == 0))

    def predict(self, inputs: Inputs) -> Posterior:
        """What log quality will be there, noise between seeds included."""
        across = self.covariance(inputs, self.seen)
        variance = self._variance(inputs, inputs) - self._explained(across, across)
        return Posterior(self.mean(inputs) + across @ self._weights, np.sqrt(np.maximum(variance, JITTER)))

    def joint(self, inputs: Inputs) -> tuple[Floats, Floats]:
        """Mean [N] and covariance [N, N] of log quality there, noise between seeds included."""
        across = self.covariance(inputs, self.seen)
        half = solve_triangular(self._factor[0], across.T, lower=True, check_finite=False)
        covariance = self.covariance(inputs, inputs) - half.T @ half
        covariance[np.diag_indices_from(covariance)] += JITTER
        return self.mean(inputs) + across @ self._weights, covariance

    def left_out(self, parts: Integers) -> Posterior:
        """What is predicted of each value given all but those of the same part [N], with these hyperparameters.

        In closed form (Rasmussen and Williams 2006, eq. 5.12, for blocks).
        """
        inverse = cho_solve(self._factor, np.eye(len(self.values)), check_finite=False)
        mean, variance = np.empty(len(self.values)), np.empty(len(self.values))
        for part in np.unique(parts):
            mine = parts == part
            block = np.linalg.inv(inverse[np.ix_(mine, mine)])
            mean[mine] = self.values[mine] - block @ self._weights[mine]
            variance[mine] = np.diag(block)
        return Posterior(mean, np.sqrt(variance))

    def between_rungs(self, inputs: Inputs, later: Inputs) -> Floats:
        """Posterior covariance of log quality at a rung and at a later one of the same architecture, [N]."""
        across, later_across = self.covariance(inputs, self.seen), self.covariance(later, self.seen)
        return self._variance(inputs, later) - self._explained(across, later_across)

    def _variance(self, inputs: Inputs, later: Inputs) -> Floats:
        given, gaps = self.given, np.abs(inputs.rung - later.rung)
        signal = given.rung**gaps + DISCREPANCY**2 * DISCREPANCY_RUNG**gaps
        alone = given.signal**2 * signal + given.own**2 * given.own_rung**gaps
        return np.asarray(alone * given.growth ** (inputs.rung + later.rung) + MEAN_SD**2 * (gaps == 0))

    def _explained(self, mine: Floats, others: Floats) -> Floats:
        halves = [solve_triangular(self._factor[0], each.T, lower=True, check_finite=False) for each in (mine, others)]
        return np.asarray(np.einsum("ij,ij->j", *halves))


def fit(groups: Integers, seen: Inputs, values: Floats, start: Hyperparameters | None = None) -> Hyperparameters:
    """The hyperparameters of the highest posterior density.

    Args:
        groups, seen, values: see `GaussianProcess`.
        start: where to begin; absent: those of the highest prior density.
    """
    between, squares = _Between(seen, seen), _squares(seen.features, groups)
    same, gaps = between.is_same.astype(float), between.gaps
    discrepancy = DISCREPANCY**2 * _near(seen, seen) * DISCREPANCY_RUNG**gaps
    fixed = MEAN_SD**2 * (gaps == 0) + JITTER * np.eye(len(seen))
    centre, width = np.array([*_PRIORS.values(), *[_LENGTH] * len(squares)]).T

    def loss(vector: Floats) -> tuple[float, Floats]:
        given = _unpacked(vector)
        lengths = np.array(given.lengths)
        scale, slope = between.scale(given.growth), _slope(given.signal, seen)
        matern, by_length = _matern(np.sqrt(np.tensordot(1 / lengths**2, squares, 1)))
        shared_alone = scale * given.signal**2 * given.rung**gaps
        shared, own = shared_alone * matern, scale * given.own**2 * same * given.own_rung**gaps
        at_rungs = scale * given.signal**2 * discrepancy
        everything = shared + own + at_rungs
        factor = cho_factor(everything + fixed, lower=True, check_finite=False)
        weights = cho_solve(factor, values - slope, check_finite=False)
        inverse = cho_solve(factor, np.eye(len(seen)), check_finite=False)
        towards = 0.5 * (np.outer(weights, weights) - inverse)  # derivative of the log likelihood by the covariance
        gradient = [
            2 * (towards * (shared + at_rungs)).sum() + weights @ slope,
            2 * (towards * own).sum(),
            (towards * shared * gaps).sum() * (1 - given.rung),
            (towards * own * gaps).sum() * (1 - given.own_rung),
            (towards * everything * between.depths).sum(),
            *np.einsum("ij,gij->g", towards * shared_alone * by_length, squares) / lengths**2,
        ]
        likelihood = -0.5 * (values - slope) @ weights - np.log(np.diag(factor[0])).sum()
        away = (vector - centre) / width
        return float(0.5 * away @ away - likelihood), away / width - np.array(gradient)

    first = centre if start is None else _packed(start)
    options = {"maxiter": _MOST_ITERATIONS}
    return _unpacked(minimize(loss, first, jac=True, method="L-BFGS-B", options=options).x)


class _Between:
    """What covariances depend on besides features, [N, M] of each."""

    def __init__(self, mine: Inputs, others: Inputs) -> None:
        self.gaps = np.abs(mine.rung[:, None] - others.rung)
        self.depths = mine.rung[:, None] + others.rung
        self.is_same = mine.architecture[:, None] == others.architecture

    def scale(self, growth: float) -> Floats:
        """How much larger covariances are than at the last rung."""
        return np.asarray(growth**self.depths)


def _slope(signal: float, inputs: Inputs) -> Floats:
    """The prior's mean, [N]."""
    return np.asarray(SLOPE * signal * inputs.trend * SLOPE_BEFORE**inputs.rung)


def _near(mine: Inputs, others: Inputs) -> Floats:
    """Correlation of the discrepancy at one rung, [N, M]."""
    return _matern(cdist(mine.features, others.features) / DISCREPANCY_LENGTH)[0]


def _squares(features: Floats, groups: Integers) -> Floats:
    """Squared distances by group of features, [G, N, N]."""
    squares = np.zeros((int(groups.max()) + 1, len(features), len(features)))
    for group, column in zip(groups, features.T, strict=True):
        squares[group] += (column[:, None] - column) ** 2
    return squares


def _matern(scaled: Floats) -> tuple[Floats, Floats]:
    """Matérn 5/2 of distances in length scales, and what squares / length² is multiplied by in its derivative by a
    length's logarithm."""
    distance = np.sqrt(5) * scaled
    decay = np.exp(-distance)
    return (1 + distance + distance**2 / 3) * decay, 5 / 3 * (1 + distance) * decay


def _packed(given: Hyperparameters) -> Floats:
    signal, own, rung, own_rung, growth, lengths = astuple(given)
    return np.array([np.log(signal), np.log(own), logit(rung), logit(own_rung), np.log(growth), *np.log(lengths)])


def _unpacked(vector: Floats) -> Hyperparameters:
    signal, own, growth = np.exp(vector[[0, 1, 4]]).tolist()
    rung, own_rung = expit(vector[2:4]).tolist()
    return Hyperparameters(signal, own, rung, own_rung, growth, tuple(np.exp(vector[5:]).tolist()))
