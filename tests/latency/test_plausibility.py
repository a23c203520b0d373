import random

import pytest

from archlab.latency.plausibility import Measured, unlike_estimate, unlike_others
from tests.made_up_facts import estimated


def study(scatter: float, number: int = 20, seed: int = 0) -> list[Measured]:
    """30 ms a GMAC to the power 0.8, with this standard deviation of the logarithm."""
    source = random.Random(seed)
    macs = [source.uniform(0.1, 0.6) for _ in range(number)]
    return [Measured(each, 30 * each**0.8 * source.lognormvariate(0, scatter)) for each in macs]


def expected_ms(macs_g: float) -> float:
    return 30 * macs_g**0.8


@pytest.mark.parametrize("scatter", [0.0, 0.02, 0.1, 0.2])
def test_what_lies_on_the_line_is_believed(scatter: float) -> None:
    doubted = [unlike_others(one, study(scatter)) for one in study(scatter, number=100, seed=1)]
    assert sum(each is not None for each in doubted) <= 3


@pytest.mark.parametrize("factor", [0.2, 0.6, 1.6, 5.6])
def test_what_is_far_off_is_doubted(factor: float) -> None:
    reason = unlike_others(Measured(0.2, factor * expected_ms(0.2)), study(0.03))
    assert reason is not None
    assert "ms where MACs and 20 others lead to 8." in reason


def test_others_that_were_wrong_do_not_turn_the_line() -> None:
    others = [each._replace(ms=5 * each.ms) if number % 4 == 0 else each for number, each in enumerate(study(0.03))]
    assert unlike_others(Measured(0.3, expected_ms(0.3)), others) is None
    assert unlike_others(Measured(0.3, 5 * expected_ms(0.3)), others) is not None


def test_where_others_differ_much_more_is_allowed() -> None:
    one = Measured(0.3, 1.5 * expected_ms(0.3))
    assert unlike_others(one, study(0.02)) is not None
    assert unlike_others(one, study(0.3)) is None


def test_a_few_others_are_no_reason_to_doubt() -> None:
    assert unlike_others(Measured(0.2, 1000.0), study(0.0, number=5)) is None
    assert unlike_others(Measured(0.2, 1000.0), [Measured(0.2, 10.0)] * 6) is not None  # all of one size


def test_an_estimate_is_believed_within_its_band_and_a_little_beyond() -> None:
    estimate = estimated(10.0)  # 9.5 to 10.5
    assert [unlike_estimate(ms, estimate) is None for ms in (7.0, 7.5, 10.0, 13.0, 14.0)] == [
        *(False, True, True, True, False)
    ]
