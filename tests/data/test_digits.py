"""The handwritten digits."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from archlab.data.captioned import CaptionedImages
from archlab.data.digits import digits as load_anew
from archlab.data.load import load_data


@pytest.fixture(scope="module")
def digits() -> CaptionedImages:
    return load_data("digits", 8)


def test_digits_at_size_8_are_exact(digits: CaptionedImages) -> None:
    assert digits.images.shape == (1797, 1, 8, 8)
    assert digits.images.dtype == torch.float32
    np.testing.assert_array_equal((digits.images[:, 0].numpy() + 1) * 8, load_digits().images)


def test_captions_name_the_digit(digits: CaptionedImages) -> None:
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    expected = [f"a handwritten {words[digit]}" for digit in load_digits().target]
    assert digits.captions == expected
    assert digits.prompts == [f"a handwritten {word}" for word in words]
    assert digits.attributes == {"digit": tuple(words)}
    assert digits.facts.tolist() == load_digits().target[:, None].tolist()


def test_split_is_complete_stratified_and_deterministic(digits: CaptionedImages) -> None:
    train, validation = digits.train.tolist(), digits.validation.tolist()
    assert sorted(train + validation) == list(range(1797))
    assert len(validation) == 360  # 20% of 1797, rounded up
    classes = torch.bincount(digits.facts[:, 0]).double()
    held_out = torch.bincount(digits.facts[digits.validation, 0]).double()
    assert (held_out / classes - 0.2).abs().max() < 0.01

    again = load_anew(8)
    assert again is not load_data("digits", 8) is digits
    assert (again.train.tolist(), again.validation.tolist(), again.id) == (train, validation, digits.id)


@pytest.mark.parametrize("size", [4, 16, 20])
def test_other_sizes_keep_range_and_brightness(digits: CaptionedImages, size: int) -> None:
    resized = load_data("digits", size)
    assert resized.images.shape == (1797, 1, size, size)
    assert resized.images.min() >= -1
    assert resized.images.max() <= 1
    assert resized.images.mean().item() == pytest.approx(digits.images.mean().item(), abs=0.02)
    assert resized.train.equal(digits.train)
    assert resized.id != digits.id
