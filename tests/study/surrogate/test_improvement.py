"""Expected hypervolume improvement against moocore's hypervolume, averaged over what quality may be."""

import moocore
import numpy as np
import pytest
from scipy.stats import norm

from archlab.study.surrogate.improvement import Front, expected_improvement


@pytest.mark.parametrize("costs", [0, 1, 2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_mean_of_the_improvement(costs: int, seed: int) -> None:
    source = np.random.default_rng(seed)
    front = Front(
        np.exp(source.normal(-1, 0.5, 6)), source.uniform(0.2, 1.2, (6, costs)), np.array([0.8, *[1.0] * costs])
    )
    mean, sd, at = source.normal(-1, 0.3, 4), source.uniform(0.1, 0.6, 4), source.uniform(0, 1.1, (4, costs))
    known = np.column_stack([front.quality, front.costs])

    def improved(quality: float, own: np.ndarray) -> float:
        both = np.vstack([known, [quality, *own]])
        return float(moocore.hypervolume(both, ref=front.reference) - moocore.hypervolume(known, ref=front.reference))

    deviations = np.linspace(-6, 6, 801)
    chances = norm.pdf(deviations) / norm.pdf(deviations).sum()
    by_hand = [
        np.dot(chances, [improved(quality, own) for quality in np.exp(m + s * deviations)])
        for m, s, own in zip(mean, sd, at, strict=True)
    ]
    found = expected_improvement(mean, sd, at, front)
    np.testing.assert_allclose(found, by_hand, rtol=2e-3, atol=1e-7)
    assert (found > 0).any()


def test_several_predictions_of_each_candidate_at_once() -> None:
    front = Front(np.array([0.5]), np.array([[0.5]]), np.array([1.0, 1.0]))
    mean, costs = np.array([[-1.0, -0.5], [-0.2, -2.0]]), np.array([[0.4], [0.7]])
    found = expected_improvement(mean, np.array([[0.3], [0.2]]), costs, front)
    one_by_one = [expected_improvement(mean[:, look], np.array([0.3, 0.2]), costs, front) for look in (0, 1)]
    np.testing.assert_allclose(found, np.array(one_by_one).T)
