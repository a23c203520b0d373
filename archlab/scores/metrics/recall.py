"""The metric ``recall``."""

import numpy as np

from archlab.scores.metrics.metric import FeatureMetric
from archlab.scores.real_features import NEIGHBOURS, RealFeatures, radii_of, squared_distances
from archlab.scores.resampling import Float64, Integers, Statistic, half_samples


def recall(drawn: Float64, real: RealFeatures) -> Statistic:
    """Share of real images that are as near to a drawn one as its third nearest (Kynkäänniemi et al., 1904.06991)."""
    among, across = squared_distances(drawn, drawn), squared_distances(drawn, real.features)

    def share(chosen: Integers) -> float:
        is_near = across[chosen] <= radii_of(among[np.ix_(chosen, chosen)])[:, None]
        return float(np.any(is_near, axis=0).mean())

    halves = [share(chosen) for chosen in half_samples(len(drawn))]
    return Statistic(share(np.arange(len(drawn))), float(np.std(halves, ddof=1)))


RECALL = FeatureMetric(recall, least_images=2 * (NEIGHBOURS + 1))  # half of them still have that many neighbours
