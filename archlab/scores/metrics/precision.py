"""The metric ``precision``."""

import numpy as np

from archlab.scores.metrics.metric import FeatureMetric
from archlab.scores.real_features import NEIGHBOURS, RealFeatures, squared_distances
from archlab.scores.resampling import Float64, Statistic, ratio


def precision(drawn: Float64, real: RealFeatures) -> Statistic:
    """Share of drawn images that are as near to a real one as its third nearest (Kynkäänniemi et al., 1904.06991)."""
    is_near = np.any(squared_distances(drawn, real.features) <= real.radii, axis=1)
    return ratio(is_near.astype(np.float64), np.ones(len(drawn)))


PRECISION = FeatureMetric(precision, least_images=2 * (NEIGHBOURS + 1), least_real=NEIGHBOURS + 1)
