import random

import pytest

from archlab.latency.devices.spread import cut_into_bursts, wide_spread


def test_bursts_are_pieces_of_time() -> None:
    assert cut_into_bursts([20.0] * 5) == [(20.0,) * 3, (20.0,) * 2]
    assert cut_into_bursts([120.0, 130.0]) == [(120.0,), (130.0,)]
    assert len(cut_into_bursts([0.5] * 1000)) == 10


def test_times_that_scatter_little_are_trusted() -> None:
    source = random.Random(0)
    assert wide_spread([10 * source.gauss(1, 0.02) for _ in range(20)], "bursts") is None
    assert wide_spread([10.0, 10.2, 10.9], "processes") is None


@pytest.mark.parametrize(
    "medians_ms",
    [
        [10 + 0.15 * minute for minute in range(20)],  # it gets hot
        [10.0] * 10 + [13.0] * 8,  # others come and stay
        [10.0, 10.1, 13.0],
    ],
)
def test_times_that_differ_are_not(medians_ms: list[float]) -> None:
    reason = wide_spread(medians_ms, "bursts")
    assert reason is not None
    assert reason.startswith(f"the medians of its {len(medians_ms)} bursts differ")
