import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from archlab.errors import BadInput
from archlab.proxy import CaptionedImages, load_data


def test_digits_at_size_8_are_exact(digits: CaptionedImages) -> None:
    assert digits.images.shape == (1797, 1, 8, 8)
    assert digits.images.dtype == torch.float32
    np.testing.assert_array_equal((digits.images[:, 0].numpy() + 1) * 8, load_digits().images)


def test_captions_name_the_digit(digits: CaptionedImages) -> None:
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    expected = [f"a handwritten {words[digit]}" for digit in load_digits().target]
    assert digits.captions == expected
    assert digits.prompts == [f"a handwritten {word}" for word in words]
    assert digits.labels.tolist() == load_digits().target.tolist()


def test_split_is_complete_stratified_and_deterministic(digits: CaptionedImages) -> None:
    train, validation = digits.train.tolist(), digits.validation.tolist()
    assert sorted(train + validation) == list(range(1797))
    assert len(validation) == 360  # 20% of 1797, rounded up
    classes = torch.bincount(digits.labels).double()
    held_out = torch.bincount(digits.labels[digits.validation]).double()
    assert (held_out / classes - 0.2).abs().max() < 0.01

    load_data.cache_clear()
    again = load_data("digits", 8)
    assert again is not digits
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


def test_unknown_data_set_is_refused() -> None:
    with pytest.raises(BadInput, match="no data set 'digit'; did you mean 'digits'"):
        load_data("digit", 8)
