"""Which channels stay, in cases worked by hand; and how well those that stay make up for the others."""

import pytest
import torch

from archlab.unet.inheritance.layers import read
from archlab.unet.inheritance.observations import Moments
from archlab.unet.inheritance.selection import by_position, choose, unrelated

IMPORTANCE = torch.tensor([5.0, 1.0, 4.0, 3.0, 2.0, 9.0, 8.0, 7.0])


@pytest.mark.parametrize(
    ("after", "groups", "origins"),
    [
        (4, (1, 1), [0, 5, 6, 7]),  # the largest, in their order
        (4, (2, 2), [0, 2, 5, 6]),  # two of 0 … 3 and two of 4 … 7
        (4, (4, 2), [4, 5, 6, 7]),  # whole pairs: their sums are 6, 7, 11 and 15
        (8, (4, 2), [0, 1, 2, 3, 4, 5, 6, 7]),
        (10, (2, 2), [0, 0, 1, 2, 3, 4, 5, 5, 6, 7]),  # the largest of each half once more, beside itself
        (16, (2, 2), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7]),
        (12, (4, 6), [0, 1, 2, 3, 4, 5, 4, 5, 6, 7, 6, 7]),  # the two largest pairs once more
    ],
)
def test_the_most_important_stay_within_their_groups(after: int, groups: tuple[int, int], origins: list[int]) -> None:
    chosen = choose(IMPORTANCE, after, groups)
    assert chosen.origins.tolist() == origins
    assert len(chosen.kept) == len(chosen.kept.unique()) == min(after, 8)
    assert sorted([*chosen.kept.tolist(), *chosen.dropped.tolist()]) == list(range(8))


def test_concatenated_axes_count_on() -> None:
    both = choose(IMPORTANCE, 4) + unrelated(0, 2) + by_position(3, 1)
    assert both.origins[both.read].tolist() == both.kept.tolist() == [0, 5, 6, 7, 8]
    assert both.dropped.tolist() == [1, 2, 3, 4, 9, 10]
    assert both.unread.tolist() == [False] * 4 + [True] * 2 + [False]


@pytest.mark.parametrize("biased", [True, False])
def test_what_a_layer_loses_is_what_least_squares_leaves(biased: bool) -> None:
    """The layer behind half its inputs against torch.linalg.lstsq on the same data."""
    data = torch.randn(500, 6, dtype=torch.float64) @ torch.randn(6, 6, dtype=torch.float64) + 1
    layer = torch.nn.Linear(6, 3, bias=biased).double().requires_grad_(False)
    moments = Moments(len(data), data.sum(0), data.T @ data)
    kept = choose(torch.tensor([0.0, 1.0, 0.0, 1.0, 0.0, 1.0]), 3)
    weight, bias, error = read(layer.weight, layer.bias, kept, moments)
    inputs = torch.cat([data[:, 1::2], torch.ones(500, 1, dtype=torch.float64)], dim=1)[:, : 3 + biased]
    best = inputs @ torch.linalg.lstsq(inputs, layer(data)).solution
    out = torch.nn.functional.linear(data[:, 1::2], weight, bias)
    lost = (layer(data) - best).norm() / (data @ layer.weight.T).norm()
    torch.testing.assert_close(out, best, rtol=1e-2, atol=1e-2)
    assert error == pytest.approx(lost.item(), rel=1e-2)
