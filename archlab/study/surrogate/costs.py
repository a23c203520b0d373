"""What architectures cost: exactly where a formula, a measurement or a table tells it, else predicted, uncertain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from archlab.evaluation import Evaluation
from archlab.evaluation.measures import COSTS
from archlab.study.surrogate.candidates import Architecture, inputs_of
from archlab.study.surrogate.fits import Fits
from archlab.study.surrogate.gaussian_process import GaussianProcess, Integers

Floats = NDArray[np.float64]

_QUANTILES, _MIDDLE = np.array([0.1, 0.3, 0.5, 0.7, 0.9]), np.array([0.5])
_MOST_SEEN = 300


class Costs(NamedTuple):
    """Of N architectures.

    Attributes:
        scenarios: [Q, N, K], the objectives besides quality; one scenario if all are exact, else equally likely ones.
        is_met: [N], probability that limits on what was not measured yet are met.
    """

    scenarios: Floats
    is_met: Floats


def costs_of(
    architectures: Sequence[Architecture],
    known: Sequence[Evaluation | None],
    objectives: Sequence[str],
    limits: Mapping[str, float],
    groups: Integers,
    fits: Fits,
) -> Costs:
    """Costs of architectures, of which some are measured or estimated.

    Args:
        known: what was measured of each, or a table tells.
        objectives: columns of costs.
        limits: on such columns.
        groups, fits: for what is predicted.
    """
    columns = {
        name: _column(name, architectures, known, groups, fits) for name in dict.fromkeys([*objectives, *limits])
    }
    is_exact = all(columns[name].is_exact for name in objectives)
    chosen = [columns[name].quantiles(_MIDDLE if is_exact else _QUANTILES) for name in objectives]
    is_met = [columns[name].below(limit) for name, limit in limits.items()]
    nothing = np.zeros((1, len(architectures), 0))
    return Costs(
        np.stack(chosen, axis=-1) if chosen else nothing, np.prod([np.ones(len(architectures)), *is_met], axis=0)
    )


@dataclass(frozen=True, eq=False)
class _Column:
    """Log costs, [N] of each; the standard deviation is 0 where they are known."""

    mean: Floats
    sd: Floats

    @property
    def is_exact(self) -> bool:
        return not self.sd.any()

    def quantiles(self, shares: Floats) -> Floats:
        """[Q, N]."""
        return np.asarray(np.exp(self.mean + self.sd * ndtri(shares)[:, None]))

    def below(self, limit: float) -> Floats:
        """With which probability each is, [N]."""
        away = np.log(limit) - self.mean
        return np.asarray(np.where(self.sd > 0, ndtr(away / np.where(self.sd > 0, self.sd, 1.0)), away >= 0))


def _column(
    name: str,
    architectures: Sequence[Architecture],
    known: Sequence[Evaluation | None],
    groups: Integers,
    fits: Fits,
) -> _Column:
    """Before anything was measured, MACs stand in for what a device decides."""
    exact = name if name in COSTS else "macs_g"
    column = np.log([getattr(one.cost, exact) for one in architectures])
    measured = np.array([one.value(name) if one is not None else None for one in known], dtype=float)
    seen = np.flatnonzero(np.isfinite(measured))[-_MOST_SEEN:]
    is_known = np.isfinite(measured)
    if name in COSTS or not len(seen):
        return _Column(column, np.zeros(len(column)))
    if is_known.all():
        return _Column(np.log(measured), np.zeros(len(column)))
    inputs = inputs_of(architectures)
    inputs = replace(inputs, trend=-inputs.trend)  # what is cheap is quick
    values = np.log(measured[seen])
    given = fits.hyperparameters(name, groups, inputs[seen], values, len(seen))
    predicted = GaussianProcess(given, groups, inputs[seen], values).predict(inputs)
    return _Column(np.where(is_known, np.log(measured), predicted.mean), np.where(is_known, 0.0, predicted.sd))
