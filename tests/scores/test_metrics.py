from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from archlab.scores.metrics.fid import fid
from archlab.scores.metrics.kid import kid
from archlab.scores.metrics.precision import precision
from archlab.scores.metrics.recall import recall
from archlab.scores.real_features import NEIGHBOURS, RealFeatures
from archlab.scores.resampling import Float64


def features(seed: int, count: int, dim: int) -> Float64:
    generator = np.random.default_rng(seed)
    spread, centre = np.random.default_rng(dim).normal(size=(2, dim))
    return generator.normal(size=(count, dim)) * (1 + spread**2) + (centre if seed % 2 else 0)


class Flat(nn.Module):
    """Features that are given as images."""

    num_features = 12

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1).double()


def as_images(given: Float64) -> Tensor:
    return torch.from_numpy(given).reshape(-1, 3, 2, 2)


def test_fid_of_one_dimension_by_hand() -> None:
    # means 0 and 3, unbiased variances 1 and 4: (0 − 3)² + (1 − 2)² = 10
    drawn, real = np.array([[-1.0], [0.0], [1.0]]), np.array([[1.0], [3.0], [5.0]])
    assert fid(drawn, RealFeatures(real)).value == pytest.approx(10)


@pytest.mark.parametrize(("drawn", "real"), [(200, 300), (8, 300), (200, 9)])  # above and below 12 dimensions
def test_fid_is_torchmetrics(drawn: int, real: int) -> None:
    module = pytest.importorskip("torchmetrics.image.fid")
    metric = module.FrechetInceptionDistance(feature=Flat()).set_dtype(torch.float64)
    metric.update(as_images(features(1, real, 12)), real=True)
    metric.update(as_images(features(2, drawn, 12)), real=False)
    ours = fid(features(2, drawn, 12), RealFeatures(features(1, real, 12)))
    assert ours.value == pytest.approx(metric.compute().item(), rel=1e-6)


@pytest.mark.filterwarnings("ignore:Metric .Kernel Inception Distance. will save")
def test_kid_is_torchmetrics_where_a_subset_is_all() -> None:
    module = pytest.importorskip("torchmetrics.image.kid")
    metric = module.KernelInceptionDistance(feature=Flat(), subsets=2, subset_size=150).set_dtype(torch.float64)
    metric.update(as_images(features(1, 150, 12)), real=True)
    metric.update(as_images(features(2, 150, 12)), real=False)
    ours = kid(features(2, 150, 12), RealFeatures(features(1, 150, 12)))
    assert ours.value == pytest.approx(metric.compute()[0].item(), rel=1e-6)


def test_kid_of_sets_of_unequal_size_is_the_mean_over_pairs() -> None:
    drawn, real = features(2, 7, 5), features(1, 600, 5)

    def kernel(x: Float64, y: Float64) -> float:
        return float((x @ y / 5 + 1) ** 3)

    def mean(pairs: list[float]) -> float:
        return sum(pairs) / len(pairs)

    own = [mean([kernel(x, y) for i, x in enumerate(few) for j, y in enumerate(few) if i != j]) for few in (drawn,)]
    own.append((np.square(real @ real.T / 5 + 1) * (real @ real.T / 5 + 1))[~np.eye(600, dtype=bool)].mean())
    across = mean([kernel(x, y) for x in drawn for y in real])
    assert kid(drawn, RealFeatures(real)).value == pytest.approx(sum(own) - 2 * across, rel=1e-9)


def test_a_resample_of_one_image_alone_has_no_kid() -> None:
    # of three images (1, 1, 1), (2, 1, 0), (1, 2, 0), … have pairs and (3, 0, 0), (0, 3, 0), (0, 0, 3) have none
    found = kid(features(2, 3, 5), RealFeatures(features(1, 50, 5)))
    assert 0 < found.error < np.inf


def covered(points: Float64, others: Float64) -> float:
    """Share of ``points`` inside the manifold of ``others``, as Kynkäänniemi et al. (arXiv 1904.06991), eq. 1, write
    it: f(φ, Φ) = 1 if |φ − φ'| ≤ |φ' − NN_k(φ', Φ)| for some φ' in Φ."""
    inside = 0
    for point in points:
        for index, other in enumerate(others):
            rest = np.delete(others, index, axis=0)
            radius = sorted(np.linalg.norm(rest - other, axis=1))[NEIGHBOURS - 1]
            if np.linalg.norm(point - other) <= radius:
                inside += 1
                break
    return inside / len(points)


def test_precision_and_recall_are_the_papers() -> None:
    drawn, real = features(2, 40, 3) * 0.6 + 2, features(4, 60, 3)
    found = precision(drawn, RealFeatures(real)).value, recall(drawn, RealFeatures(real)).value
    assert found == pytest.approx((covered(drawn, real), covered(real, drawn)))
    assert 0.2 < min(found) < max(found) < 1


def test_a_distance_of_images_to_themselves_is_none() -> None:
    real = RealFeatures(features(0, 300, 16))
    assert fid(real.features, real).value == pytest.approx(0, abs=1e-6)
    assert precision(real.features, real).value == recall(real.features, real).value == 1


@pytest.mark.parametrize("metric", [fid, kid, precision, recall], ids=["fid", "kid", "precision", "recall"])
def test_error_is_the_deviation_among_independent_draws(metric: Callable[..., tuple[float, float]]) -> None:
    real = RealFeatures(features(1, 400, 4))
    found = [metric(features(2 * draw, 200, 4) * 0.8, real) for draw in range(1, 41)]
    values, errors = np.array(found).T
    assert errors.mean() == pytest.approx(values.std(ddof=1), rel=0.35)  # of 40 values it is itself 11 % off
