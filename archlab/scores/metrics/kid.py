"""The metric ``kid``."""

import numpy as np

from archlab.scores.metrics.metric import FeatureMetric
from archlab.scores.real_features import RealFeatures, kernel
from archlab.scores.resampling import Float64, Statistic, resamples, statistic


def kid(drawn: Float64, real: RealFeatures) -> Statistic:
    """Kernel distance: the unbiased squared MMD with the kernel (x·y / D + 1)³ (Bińkowski et al., arXiv 1801.01401).

    Of all images at once: the mean over random subsets, as others have it, is the same with more noise. In a resample,
    an image and its own repetition are no pair; one that has nothing else is left out.
    """
    among = kernel(drawn, drawn)
    np.fill_diagonal(among, 0)
    across = kernel(drawn, real.features).mean(1)
    weights = resamples(len(drawn))
    weights = weights[(weights > 0).sum(1) > 1]
    pairs = len(drawn) ** 2 - (weights**2).sum(1)
    own = ((weights @ among) * weights).sum(1) / pairs
    return statistic(own + real.kernel_mean - 2 * (weights @ across) / len(drawn))


KID = FeatureMetric(kid, least_images=3)
