"""Expected hypervolume improvement where quality alone is uncertain, and lognormal. Every objective is minimised.

Costs are exact, so that it has a closed form for any number of them: for a candidate's costs the front's quality is a
staircase, and what lies below a step is a European put option on quality, as Black and Scholes price it (Emmerich et
al. 2011, doi:10.1109/CEC.2011.5949880, have the case of uncertain objectives alone).
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Front:
    """What is known to be reached, and up to where hypervolume is counted.

    Attributes:
        quality: [F].
        costs: [F, K].
        reference: [1 + K], quality first.
    """

    quality: Floats
    costs: Floats
    reference: Floats

    def volumes(self, costs: Floats) -> tuple[Floats, Floats]:
        """Best known qualities [L], and how much of the costs above each candidate's [N, K] has each of them [N, L]."""
        inside = (self.costs < self.reference[1:]).all(axis=1) & (self.quality < self.reference[0])
        quality, own = self.quality[inside], self.costs[inside]
        ends = [np.append(np.unique(column), end) for column, end in zip(own.T, self.reference[1:], strict=True)]
        starts = [np.append(-np.inf, column[:-1]) for column in ends]
        corners = np.array(list(product(*starts)))
        best = np.full(len(corners), self.reference[0])
        for one, at in zip(quality, own, strict=True):
            reaches = (at <= corners).all(axis=1)
            best[reaches] = np.minimum(best[reaches], one)
        cells = np.ones((len(costs), 1))
        for mine, start, end in zip(costs.T, starts, ends, strict=True):
            lengths = np.maximum(0.0, end - np.maximum(start, mine[:, None]))
            cells = (cells[:, :, None] * lengths[:, None, :]).reshape(len(costs), -1)
        levels, level = np.unique(best, return_inverse=True)
        volumes = np.zeros((len(levels), len(costs)))
        np.add.at(volumes, level, cells.T)
        return levels, volumes.T


def expected_improvement(mean: Floats, sd: Floats, costs: Floats, front: Front) -> Floats:
    """Of hypervolume, by each of N candidates, [N] or with further axes as ``mean`` has them.

    Args:
        mean, sd: [N, ...] of log quality.
        costs: [N, K].
    """
    levels, volumes = front.volumes(costs)
    mean, sd = mean[..., None], np.broadcast_to(sd, mean.shape)[..., None]
    volumes = volumes.reshape(len(costs), *[1] * (mean.ndim - 2), -1)
    above = (np.log(levels) - mean) / sd
    put = levels * ndtr(above) - np.exp(mean + sd**2 / 2) * ndtr(above - sd)
    return np.asarray((volumes * np.maximum(put, 0.0)).sum(axis=-1))
