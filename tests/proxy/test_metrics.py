import numpy as np
import pytest
import torch
from torch import Tensor, nn

from archlab.errors import BadInput
from archlab.proxy.metrics import Gaussian, fit_gaussian, frechet_distance

linalg = pytest.importorskip("scipy.linalg")


def features(seed: int, count: int, dim: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(count, dim)) @ generator.normal(size=(dim, dim)) + generator.normal(size=dim)


def test_one_dimension_by_hand() -> None:
    # N(0, 1) and N(3, 4): (0 − 3)² + (1 − 2)² = 10, with standard deviations 1 and 2
    first = Gaussian(np.array([0.0]), np.array([[1.0]]), 10)
    second = Gaussian(np.array([3.0]), np.array([[4.0]]), 10)
    assert frechet_distance(first, second) == pytest.approx(10)


def test_fit_by_hand() -> None:
    # 1, 3 and 5: mean 3, unbiased variance (4 + 0 + 4) / 2 = 4
    fitted = fit_gaussian(np.array([[1.0], [3.0], [5.0]]))
    assert (fitted.mean.item(), fitted.covariance.item(), fitted.count) == (3, 4, 3)


@pytest.mark.parametrize(("count", "dim"), [(500, 8), (256, 32), (20, 32)])
def test_agrees_with_scipy(count: int, dim: int) -> None:
    first, second = fit_gaussian(features(0, count, dim)), fit_gaussian(features(1, count, dim))
    root = linalg.sqrtm(first.covariance @ second.covariance).real
    shift = first.mean - second.mean
    expected = shift @ shift + np.trace(first.covariance + second.covariance - 2 * root)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-4)
    assert frechet_distance(second, first) == pytest.approx(frechet_distance(first, second), rel=1e-6)


def test_agrees_with_torchmetrics() -> None:
    fid = pytest.importorskip("torchmetrics.image.fid")

    class Flat(nn.Module):
        num_features = 12

        def forward(self, images: Tensor) -> Tensor:
            return images.flatten(1).double()

    real, drawn = features(0, 300, 12), features(1, 200, 12)
    metric = fid.FrechetInceptionDistance(feature=Flat()).set_dtype(torch.float64)
    metric.update(torch.from_numpy(real).reshape(-1, 3, 2, 2), real=True)
    metric.update(torch.from_numpy(drawn).reshape(-1, 3, 2, 2), real=False)
    ours = frechet_distance(fit_gaussian(drawn), fit_gaussian(real))
    assert ours == pytest.approx(metric.compute().item(), rel=1e-6)


def test_equal_sets_have_distance_zero() -> None:
    fitted = fit_gaussian(features(0, 100, 16))
    assert frechet_distance(fitted, fitted) == pytest.approx(0, abs=1e-6)


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(BadInput, match=r"32-dimensional .* at least 2 samples .*N = 1"):
        fit_gaussian(np.zeros((1, 32)))
