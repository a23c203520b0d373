"""Hypervolume against Optuna's."""

import numpy as np
import pytest
from optuna._hypervolume import compute_hypervolume

from archlab.analysis.hypervolume import covered, covered_after_each


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_shares_are_optunas_hypervolume_of_the_box(objectives: int) -> None:
    points = np.random.default_rng(objectives).random((25, objectives)) * 7 + 3
    low, high = points.min(0), points.max(0)
    reference = high + 0.1 * (high - low)
    box = np.prod(reference - low)
    expected = [compute_hypervolume(points[:n], reference) / box for n in range(1, 26)]
    np.testing.assert_allclose(covered_after_each(points), expected, atol=1e-9)
    assert covered(points[:10], among=points) == pytest.approx(expected[9])


def test_equal_points_cover_everything_and_none_cover_nothing() -> None:
    assert covered_after_each([(2.0, 5.0), (2.0, 5.0)]) == pytest.approx([1.0, 1.0])
    assert covered([]) == 0.0
    assert covered_after_each([]) == []
