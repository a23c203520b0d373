import math
from collections.abc import Callable

import numpy as np
import pytest

from archlab.convert import FlatInputs, example_inputs, parity_of, torch_output
from archlab.unet import UNet


def test_difference_is_absolute_and_relative_to_the_scale() -> None:
    # |-3.5 - -4| = 0.5, the largest expected value is 4
    parity = parity_of(np.float32([1, -4, 0]), np.float32([1.25, -3.5, 0]))
    assert parity.max_abs == 0.5
    assert parity.max_relative == 0.125
    assert parity.within(0.125)
    assert not parity.within(0.1)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_output_that_is_not_finite_is_never_within(value: float) -> None:
    parity = parity_of(np.float32([1, 2]), np.float32([1, value]))
    assert math.isnan(parity.max_abs)
    assert not parity.within(1e9)


def test_difference_from_zero_is_not_within() -> None:
    assert not parity_of(np.float32([0, 0]), np.float32([0, 1e-9])).within(1)
    assert parity_of(np.float32([0, 0]), np.float32([0, 0])).within(0)


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"\(1,\) and \(2,\)"):
        parity_of(np.float32([1]), np.float32([1, 1]))


def test_torch_output_leaves_the_mode_alone(make_unet: Callable[[str], UNet]) -> None:
    unet = make_unet("no_transformers").train()
    network = FlatInputs(unet)
    torch_output(network, example_inputs(unet.spec))
    assert network.training
    assert unet.training


def test_example_inputs_follow_the_seed(make_unet: Callable[[str], UNet]) -> None:
    spec = make_unet("added").spec
    first, again, other = example_inputs(spec, 0), example_inputs(spec, 0), example_inputs(spec, 1)
    assert list(first) == ["sample", "timestep", "context", "text_embeds", "time_ids"]
    assert all((first[name] == again[name]).all() for name in first)
    assert not (first["sample"] == other["sample"]).all()
