"""Intervals against scipy's own tests, and sentences worked by hand."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from archlab.analysis.effects import sentence
from archlab.analysis.effects.intervals import Interval, paired_difference

BEFORE = [0.211, 0.204, 0.215, 0.209, 0.202]
AFTER = [0.198, 0.195, 0.199, 0.201, 0.189]
DIFFERENCES = np.subtract(AFTER, BEFORE).tolist()


@pytest.mark.parametrize("level", [0.95, 0.99])
def test_paired_t_is_scipys(level: float) -> None:
    estimate = paired_difference(DIFFERENCES)
    oracle = stats.ttest_rel(AFTER, BEFORE)
    assert estimate.value == pytest.approx(np.mean(AFTER) - np.mean(BEFORE))
    assert estimate.interval(level) == pytest.approx(tuple(oracle.confidence_interval(level)))


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_a_bootstrap_is_repeatable_and_near_the_t_interval_of_a_large_sample(method: Any) -> None:
    sample = np.random.default_rng(0).normal(0.1, 1, 400).tolist()
    found = paired_difference(sample, method).interval(0.95)
    assert found == paired_difference(sample, method).interval(0.95)
    assert found == pytest.approx(paired_difference(sample).interval(0.95), abs=0.01)


@pytest.mark.parametrize("method", ["t", "percentile", "bca"])
def test_one_pair_has_no_interval_and_equal_ones_have_no_width(method: Any) -> None:
    assert not paired_difference([0.3], method).interval(0.95).is_known
    assert paired_difference([0.25, 0.25, 0.25], method).interval(0.95) == (0.25, 0.25)


@pytest.mark.parametrize(
    ("value", "interval", "said"),
    [
        (-0.0123, (-0.0164, -0.0082), "better by 0.0123 ± 0.0041 (how)"),
        (0.5, (0.2, 0.8), "worse by 0.50 ± 0.30 (how)"),
        (0.001, (-0.005, 0.007), "no effect seen at ± 0.0070 (how)"),
        (-0.02, (-0.05, -0.01), "better by 0.020, 0.010 to 0.050 (how)"),
        (-12.0, (-14.0, -10.0), "better by 12.0 ± 2.0 (how)"),
        (0.0, (0.0, 0.0), "no effect seen at ± 0.000 (how)"),
    ],
)
def test_sentences(value: float, interval: tuple[float, float], said: str) -> None:
    assert sentence(value, Interval(*interval), "how") == said
