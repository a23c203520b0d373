"""Agreement of two orders, against scipy and orders counted by hand; the intervals against a simulation."""

import numpy as np
import pytest
from scipy.stats import kendalltau

from archlab.analysis.audit.agreement import kendall_tau, top_overlap


@pytest.mark.parametrize("decimals", [3, 0], ids=["no ties", "many ties"])
def test_tau_is_scipys_also_of_every_resample(decimals: int) -> None:
    draw = np.random.default_rng(0)
    scores, truth = draw.normal(size=(2, 20)).round(decimals), draw.normal(size=20).round(decimals)
    expected = np.mean([kendalltau(row, truth).statistic for row in scores])
    assert kendall_tau(scores, truth).value == pytest.approx(expected)
    times = np.random.default_rng(0).multinomial(20, np.full(20, 1 / 20), size=50)
    taus = []
    for resample in (np.repeat(np.arange(20), each) for each in times):
        taus.append(np.mean([kendalltau(row[resample], truth[resample]).statistic for row in scores]))
    assert kendall_tau(scores, truth, resamples=50)[1:] == pytest.approx(tuple(np.quantile(taus, [0.025, 0.975])))


TRUTH = [1.0, 2, 3, 4, 5, 6, 7, 8]
ORDERS = {  # scores, top, share of the best found
    "the same": (TRUTH, 3, 1),
    "reversed": (TRUTH[::-1], 3, 0),
    "reversed, half": (TRUTH[::-1], 6, 4 / 6),
    "one of three": ([1.0, 7, 8, 2, 3, 4, 5, 6], 3, 1 / 3),
    "all equal, as by chance": ([0.0] * 8, 2, 2 / 8),
    "a tie for the last place": ([1.0, 2, 2, 4, 5, 6, 7, 8], 2, (1 + 0.5) / 2),
}


@pytest.mark.parametrize("case", ORDERS)
def test_share_of_the_best_found_is_as_counted(case: str) -> None:
    scores, top, share = ORDERS[case]
    assert top_overlap(np.array([scores]), np.array(TRUTH), top).value == pytest.approx(share)


def test_share_of_the_best_in_resamples_is_that_of_the_copies() -> None:
    draw = np.random.default_rng(1)
    scores, truth = draw.random(12), draw.random(12)
    times, shares = np.random.default_rng(0).multinomial(12, np.full(12, 1 / 12), size=50), []
    for resample in (np.repeat(np.arange(12), each) for each in times):
        ours, theirs = (sorted(resample, key=values.__getitem__)[:4] for values in (scores, truth))
        shares.append(sum(min(ours.count(each), theirs.count(each)) for each in set(ours)) / 4)
    assert top_overlap(scores[None], truth, 4, resamples=50)[1:] == pytest.approx(
        tuple(np.quantile(shares, [0.025, 0.975]))
    )


def test_a_score_that_is_always_the_same_has_no_tau() -> None:
    assert np.isnan(kendall_tau(np.ones((2, 8)), np.arange(8.0))).all()


@pytest.mark.parametrize("correlation", [0.3, 0.9])
def test_intervals_hold_the_truth_as_often_as_they_say(correlation: float) -> None:
    """Of normal scores τ is 2/π · arcsin ρ. Monte Carlo error is 0.011; the intervals err on the wide side."""
    draw, truth, studies = np.random.default_rng(2), 2 / np.pi * np.arcsin(correlation), 400
    hits = 0
    for _ in range(studies):
        reference, other = draw.standard_normal((2, 16))
        found = kendall_tau((correlation * reference + np.sqrt(1 - correlation**2) * other)[None], reference)
        hits += found.low <= truth <= found.high
    assert 0.93 <= hits / studies <= 0.995
