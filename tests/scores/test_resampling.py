import numpy as np
import pytest

from archlab.scores.resampling import half_samples, ratio, resamples


def test_error_of_a_share_is_the_binomials() -> None:
    hits = (np.arange(400) % 4 == 0).astype(float)
    share = ratio(hits, np.ones(400))
    assert share.value == 0.25
    assert share.error == pytest.approx((0.25 * 0.75 / 400) ** 0.5, rel=0.15)  # of 200 resamples it is 5 % off


def test_images_that_count_more_weigh_more() -> None:
    assert ratio(np.array([1.0, 0.0]), np.array([3.0, 1.0])).value == 0.25


def test_resamples_are_of_as_many_images_and_always_the_same() -> None:
    found = resamples(30)
    assert found.shape == (201, 30)
    assert (found[0] == 1).all()
    assert (found.sum(1) == 30).all()
    assert (found == resamples(30)).all()


def test_halves_repeat_no_image() -> None:
    halves = half_samples(9)
    assert halves.shape == (200, 4)
    assert all(len(set(half)) == 4 for half in halves.tolist())
    assert len({tuple(sorted(half)) for half in halves.tolist()}) > 50
