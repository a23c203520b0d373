"""What it is worth to go on with a candidate: expected improvement a step of training, with the option to stop.

A candidate is trained to its next rung; from there to the end only if what is seen then promises enough. Its worth is
the highest price a step at which that still pays: a Gittins index (Gittins 1979) with one look ahead.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from archlab.study.surrogate.gaussian_process import GaussianProcess, Inputs

Floats = NDArray[np.float64]
Improvement = Callable[[Floats, Floats], Floats]

_LOOKS, _CHANCES = np.polynomial.hermite_e.hermegauss(9)
_CHANCES = _CHANCES / _CHANCES.sum()
_ROUNDS = 8  # of Dinkelbach's iteration; four are mostly enough


def worth_a_step(
    process: GaussianProcess, upcoming: Inputs, steps: Floats, left: Floats, improvement: Improvement
) -> Floats:
    """Expected improvement a step of training, [N].

    Args:
        upcoming: the candidates at their next rungs.
        steps: [N], from where they are to that rung.
        left: [N], from there to the last one.
        improvement: the expected one [N, L], given mean [N, L] and standard deviation [N, 1] of log quality at the end.
    """
    last = upcoming.at(0)
    then, end = process.predict(upcoming), process.predict(last)
    told = np.where(upcoming.rung == 0, 0.0, process.between_rungs(upcoming, last) / then.sd)
    unknown = np.sqrt(np.maximum(end.sd**2 - told**2, 1e-12))[:, None]
    gain = improvement(end.mean[:, None] + told[:, None] * _LOOKS, unknown)
    worth = np.zeros(len(steps))
    for _ in range(_ROUNDS):
        goes_on = (gain > (worth * left)[:, None]) * _CHANCES
        worth = (gain * goes_on).sum(axis=1) / (steps + left * goes_on.sum(axis=1))
    return worth
