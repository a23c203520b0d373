"""Every layout that a reshape keeps holds the reshaped numbers, against numpy; none is given up without need."""

import math
import random

import numpy as np
import pytest

from archlab.convert.tflite.layout import lying, permuted, reshaped, same_memory


def shapes_of_one_size(luck: random.Random) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two shapes of as many elements, with ones among them."""
    factors = [luck.choice((1, 2, 3)) for _ in range(luck.randint(1, 6))]

    def merged() -> tuple[int, ...]:
        parts = [1] * luck.randint(1, 5)
        place = 0
        for factor in factors:
            place = min(place + luck.choice((0, 0, 1)), len(parts) - 1)
            parts[place] *= factor
        return tuple(parts)

    return merged(), merged()


@pytest.mark.parametrize("seed", range(8))
def test_reshape_keeps_the_numbers_or_says_that_it_cannot(seed: int) -> None:
    luck, kept = random.Random(seed), 0
    for _ in range(250):
        shape, new_shape = shapes_of_one_size(luck)
        order = tuple(luck.sample(range(len(shape)), len(shape)))
        memory = np.arange(math.prod(shape)).reshape(lying(shape, order))
        tensor = memory.transpose(np.argsort(order))
        found = reshaped(shape, order, new_shape)
        expected = tensor.reshape(new_shape)
        is_view = np.shares_memory(expected, tensor)
        if found is None:
            assert not is_view, (shape, order, new_shape)
        else:
            kept += 1
            actual = memory.reshape(lying(new_shape, found)).transpose(np.argsort(found))
            np.testing.assert_array_equal(actual, expected)
    assert kept > 50


@pytest.mark.parametrize("seed", range(4))
def test_permutation_moves_nothing(seed: int) -> None:
    luck = random.Random(seed)
    for _ in range(100):
        shape = tuple(luck.randint(1, 4) for _ in range(luck.randint(1, 5)))
        order, dims = (tuple(luck.sample(range(len(shape)), len(shape))) for _ in range(2))
        memory = np.arange(math.prod(shape)).reshape(lying(shape, order))
        found = permuted(order, dims)
        expected = memory.transpose(np.argsort(order)).transpose(dims)
        np.testing.assert_array_equal(memory.transpose(np.argsort(found)), expected)


def test_orders_that_differ_in_ones_mean_the_same_memory() -> None:
    assert same_memory((1, 3, 1, 2), (0, 1, 2, 3), (2, 1, 0, 3))
    assert not same_memory((1, 3, 1, 2), (0, 1, 2, 3), (0, 3, 2, 1))
