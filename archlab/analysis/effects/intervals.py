"""Mean differences with what is needed for their confidence intervals."""

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import stdtrit

IntervalMethod = Literal["t", "percentile", "bca"]

METHOD_NAMES: dict[IntervalMethod, str] = {
    "t": "paired t",
    "percentile": "paired bootstrap, percentile",
    "bca": "paired bootstrap, BCa",
}
_RESAMPLES = 9_999
_RESAMPLING_SEED = 0


class Interval(NamedTuple):
    """Both ends; NaN where there is nothing to tell them from."""

    low: float
    high: float

    @property
    def is_known(self) -> bool:
        """Whether there is an interval."""
        return not math.isnan(self.low)


NO_INTERVAL = Interval(math.nan, math.nan)


class Difference(NamedTuple):
    """A mean difference.

    Attributes:
        interval: the confidence interval at a level, such as 0.95.
    """

    value: float
    interval: Callable[[float], Interval]


def paired_difference(differences: Sequence[float], method: IntervalMethod = "t") -> Difference:
    """The mean of paired differences with Student's t interval or a bootstrap over the pairs (Efron and Tibshirani, An
    Introduction to the Bootstrap, ch. 13 and 14); one pair has no interval."""
    sample = np.asarray(differences, dtype=float)
    value = float(sample.mean())
    if len(sample) < 2:
        return Difference(value, lambda _: NO_INTERVAL)
    if method == "t" or np.ptp(sample) == 0:
        return t_difference(value, float(sample.std(ddof=1)) / len(sample) ** 0.5, len(sample) - 1)

    def bootstrap(level: float) -> Interval:
        from scipy import stats  # half a second, and most intervals are Student's

        found = stats.bootstrap(
            (sample,),
            np.mean,
            confidence_level=level,
            method=method,
            n_resamples=_RESAMPLES,
            vectorized=True,
            random_state=np.random.default_rng(_RESAMPLING_SEED),
        ).confidence_interval
        return Interval(float(found.low), float(found.high))

    return Difference(value, bootstrap)


def t_difference(value: float, standard_error: float, freedom: float) -> Difference:
    """A value with Student's t interval; without degrees of freedom there is none."""
    if freedom < 1 or not math.isfinite(standard_error):
        return Difference(value, lambda _: NO_INTERVAL)

    def interval(level: float) -> Interval:
        half = float(stdtrit(freedom, (1 + level) / 2)) * standard_error
        return Interval(value - half, value + half)

    return Difference(value, interval)
