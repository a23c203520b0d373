"""The process against scikit-learn's, against normal distributions conditioned by hand, and against its own draws."""

from dataclasses import astuple, replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from archlab.study.surrogate.gaussian_process import (
    DISCREPANCY,
    DISCREPANCY_LENGTH,
    DISCREPANCY_RUNG,
    JITTER,
    MEAN_SD,
    SLOPE_BEFORE,
    GaussianProcess,
    Hyperparameters,
    Inputs,
    fit,
)

GROUPS = np.array([0, 0, 1])
GIVEN = Hyperparameters(signal=0.2, own=0.05, rung=0.9, own_rung=0.7, growth=1.3, lengths=(0.8, 1.5))


def inputs(count: int, seed: int, rungs: int = 1) -> Inputs:
    """So many architectures at each of so many rungs."""
    source = np.random.default_rng(seed)
    return Inputs(
        features=np.repeat(source.normal(size=(count, 3)), rungs, axis=0),
        trend=np.repeat(source.normal(size=count), rungs),
        architecture=np.repeat(np.arange(count) + 1000 * seed, rungs),
        rung=np.tile(np.arange(rungs), count),
    )


def density(given: Hyperparameters, seen: Inputs, values: np.ndarray) -> float:
    """Log likelihood, by SciPy."""
    process = GaussianProcess(given, GROUPS, seen[:1], values[:1])
    covariance = process.covariance(seen, seen) + JITTER * np.eye(len(seen))
    return float(multivariate_normal(process.mean(seen), covariance).logpdf(values))


def test_at_one_rung_it_is_scikit_learns() -> None:
    seen, asked = inputs(12, 1), inputs(5, 2)
    seen, asked = replace(seen, trend=0 * seen.trend), replace(asked, trend=0 * asked.trend)
    values = np.sin(seen.features.sum(axis=1))
    signal, discrepancy = Matern(length_scale=[0.8, 0.8, 1.5], nu=2.5), Matern(length_scale=DISCREPANCY_LENGTH, nu=2.5)
    explained = ConstantKernel(GIVEN.signal**2) * (signal + ConstantKernel(DISCREPANCY**2) * discrepancy)
    kernel = explained + ConstantKernel(MEAN_SD**2)
    theirs = GaussianProcessRegressor(kernel, alpha=GIVEN.own**2 + JITTER, optimizer=None).fit(seen.features, values)
    mean, sd = theirs.predict(asked.features, return_std=True)
    found = GaussianProcess(GIVEN, GROUPS, seen, values).predict(asked)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-6)
    np.testing.assert_allclose(found.sd, np.sqrt(sd**2 + GIVEN.own**2), rtol=1e-6)


def test_from_rung_to_rung_it_is_a_normal_distribution_conditioned() -> None:
    """One architecture, seen two rungs before its last: what is left to know there, by hand."""
    one = inputs(1, 3, rungs=3)
    seen, middle, last = one[2:3], one[1:2], one[0:1]
    process = GaussianProcess(GIVEN, GROUPS, seen, np.array([-1.0]))
    alone = GIVEN.signal**2 * (1 + DISCREPANCY**2) + GIVEN.own**2
    variances = [alone * GIVEN.growth ** (2 * rung) + MEAN_SD**2 for rung in range(3)]

    def between(one: int, other: int) -> float:
        gap = abs(one - other)
        signal = GIVEN.rung**gap + DISCREPANCY**2 * DISCREPANCY_RUNG**gap
        shared = GIVEN.signal**2 * signal + GIVEN.own**2 * GIVEN.own_rung**gap
        return float(shared * GIVEN.growth ** (one + other))

    whole = variances[2] + JITTER
    slope = 0.5 * GIVEN.signal * one.trend[0]
    found = process.predict(last)
    assert found.mean[0] == pytest.approx(slope + between(0, 2) / whole * (-1.0 - slope * SLOPE_BEFORE**2))
    assert found.sd[0] ** 2 == pytest.approx(variances[0] - between(0, 2) ** 2 / whole)
    expected = between(0, 1) - between(1, 2) * between(0, 2) / whole
    assert process.between_rungs(middle, last)[0] == pytest.approx(expected)


def test_a_fit_is_a_maximum_of_the_posterior_density() -> None:
    seen = inputs(10, 4, rungs=3)
    source = np.random.default_rng(0)
    values = multivariate_normal(cov=GaussianProcess(GIVEN, GROUPS, seen[:1], np.zeros(1)).covariance(seen, seen)).rvs(
        random_state=source
    )
    found = fit(GROUPS, seen, values)
    prior = fit(GROUPS, seen[:0], values[:0])  # nothing seen: the mode of the prior
    logs = {"signal": (np.log, 0.5), "own": (np.log, 0.5), "growth": (np.log, 0.15)}

    def posterior(given: Hyperparameters) -> float:
        away = [(log(getattr(given, name)) - log(getattr(prior, name))) / sd for name, (log, sd) in logs.items()]
        return density(given, seen, values) - 0.5 * float(np.square(away).sum())

    for name in logs:
        for factor in (0.97, 1.03):
            other = replace(found, **{name: getattr(found, name) * factor})
            assert posterior(other) < posterior(found) + 1e-3
    assert len(astuple(found)[-1]) == 2


def test_four_in_five_lie_in_the_interval_that_is_to_hold_four_in_five() -> None:
    """Qualities drawn from such a process, by its own hyperparameters' neighbours: fitted on a part, held against the
    rest."""
    covered = []
    for seed in range(4):
        everything = inputs(80, 5 + seed, rungs=2)
        process = GaussianProcess(GIVEN, GROUPS, everything[:1], np.zeros(1))
        drawn = multivariate_normal(process.mean(everything), process.covariance(everything, everything))
        values = drawn.rvs(random_state=np.random.default_rng(seed))
        seen, held_out = np.arange(60), np.arange(60, 160, 2)
        fitted = fit(GROUPS, everything[seen], values[seen])
        found = GaussianProcess(fitted, GROUPS, everything[seen], values[seen]).predict(everything[held_out])
        covered.append(np.abs(values[held_out] - found.mean) < 1.2816 * found.sd)
    assert np.mean(covered) == pytest.approx(0.8, abs=0.07)


def test_what_is_left_out_is_what_a_process_without_it_predicts() -> None:
    seen = inputs(6, 8, rungs=3)
    values = np.random.default_rng(8).normal(-1.0, 0.2, size=len(seen))
    whole = GaussianProcess(GIVEN, GROUPS, seen, values)
    for parts in (seen.architecture, np.arange(len(seen))):
        found = whole.left_out(parts)
        for part in np.unique(parts)[::4]:
            others = GaussianProcess(GIVEN, GROUPS, seen[parts != part], values[parts != part]).predict(
                seen[parts == part]
            )
            np.testing.assert_allclose(found.mean[parts == part], others.mean, rtol=1e-6)
            np.testing.assert_allclose(found.sd[parts == part], others.sd, rtol=1e-3)  # theirs is without the jitter


def test_intervals_hold_as_much_as_they_say_of_a_process_own_draws() -> None:
    """Also with hyperparameters that are fitted to them; 80 % of 1,600 values."""
    seen, half = inputs(40, 9, rungs=2), norm.ppf(0.9)
    process = GaussianProcess(GIVEN, GROUPS, seen[:1], np.zeros(1))
    draw = multivariate_normal(process.mean(seen), process.covariance(seen, seen) + JITTER * np.eye(len(seen)))
    inside = []
    for values in draw.rvs(40, random_state=5):
        mean, sd = GaussianProcess(fit(GROUPS, seen, values, GIVEN), GROUPS, seen, values).left_out(seen.architecture)
        inside += (np.abs(values - mean) < half * sd)[seen.rung == 0].tolist()
    assert np.mean(inside) == pytest.approx(0.8, abs=0.05)


def test_predictions_together_agree_with_each_alone() -> None:
    seen, asked = inputs(5, 10, rungs=2), inputs(4, 11)
    process = GaussianProcess(GIVEN, GROUPS, seen, np.linspace(-1.0, 0.0, len(seen)))
    mean, covariance = process.joint(asked)
    np.testing.assert_allclose(mean, process.predict(asked).mean)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance) - JITTER), process.predict(asked).sd, rtol=1e-6)
