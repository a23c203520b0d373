"""What further training is expected to bring."""

import numpy as np

from archlab.study.surrogate.history import Gain
from archlab.study.surrogate.outlook import Outlook

LEVEL = 0.8  # of every interval that is told
_DRAWS = 200
_MOST_TRAINED = 200  # architectures; of a search that trains more an hour, these stand for all


def forecast(outlook: Outlook, steps: float) -> Gain | None:
    """By how much of itself the hypervolume grows with so many further steps; None before there is any.

    The candidates that promise most a step are trained to the end, as many as the steps allow; their qualities are
    drawn together from the surrogate. A search that learns on its way does at least as well on average. Where the steps
    do not suffice for one, it is that one's gain in proportion.
    """
    model, now = outlook.quality, outlook.hypervolume
    if not now or not len(outlook.candidates):
        return None
    done = np.array([0.0, *outlook.rungs])[outlook.upcoming]
    left = outlook.rungs[-1] - done
    order = np.argsort(-outlook.gains / left, kind="stable")
    trained = max(1, int(np.searchsorted(np.cumsum(left[order]), steps, side="right")))
    chosen = outlook.candidates[order[:trained][:_MOST_TRAINED]]
    mean, covariance = model.process.joint(model.inputs[chosen])
    draws = np.random.default_rng(0).multivariate_normal(mean, covariance, _DRAWS, method="cholesky")
    costs, is_met = outlook.costs.scenarios.mean(axis=0)[chosen], outlook.costs.is_met[chosen] >= 0.5
    volumes = np.array([outlook.hypervolume_with(np.exp(draw[is_met]), costs[is_met]) for draw in draws])
    share = min(1.0, steps / left[order[0]])
    gains = share * (volumes / now - 1)
    low, high = np.quantile(gains, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Gain(float(gains.mean()), float(low), float(high))
