"""Architectures drawn from the shipped full spaces become files whose outputs are torch's, in one piece."""

import os
from pathlib import Path

import pytest
import torch
from torch import Tensor

from archlab.convert import (
    ATTENTION_FORMS,
    FlatInputs,
    example_inputs,
    parity_of,
    run_tflite,
    to_coreml,
    to_tflite,
    torch_output,
    unaccelerated_operators,
)
from archlab.convert.coreml.interpreter import CoreMLProgram
from archlab.space import SearchSpace, load_space
from archlab.unet import UNet, build

SPACES = Path(__file__).parents[2] / "search_spaces"
SPECS = int(os.environ.get("ARCHLAB_SAMPLED_SPECS", "10"))  # 30 before a release: some seconds each
MODERN = SPECS // 5 if SPECS < 20 else SPECS  # these become TFLite files alone
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    return load_space(SPACES / "mobilediffusion.yaml")


@pytest.fixture(scope="module")
def modern() -> SearchSpace:
    return load_space(SPACES / "modern.yaml")


def small(space: SearchSpace, seed: int) -> UNet:
    torch.manual_seed(seed)
    return build(space.sample(seed).deployed.scaled(width=0.05, sample_size=16)).eval()


@pytest.mark.parametrize("seed", range(MODERN))
def test_the_knobs_of_mobilediffusions_successors_become_tflite(seed: int, modern: SearchSpace, tmp_path: Path) -> None:
    unet = small(modern, seed)
    check_tflite(FlatInputs(unet), example_inputs(unet.spec), tmp_path)


def check_tflite(network: FlatInputs, inputs: dict[str, Tensor], folder: Path) -> None:
    to_tflite(network, inputs, folder / "unet.tflite")
    parity = parity_of(torch_output(network, inputs), run_tflite(folder / "unet.tflite", inputs))
    assert parity.max_abs <= TOLERANCE
    assert parity.max_relative <= TOLERANCE
    assert unaccelerated_operators(folder / "unet.tflite") == []


def check(seed: int, space: SearchSpace, folder: Path) -> None:
    unet = small(space, seed)
    network, inputs = FlatInputs(unet), example_inputs(unet.spec)
    check_tflite(network, inputs, folder)
    form = ATTENTION_FORMS[seed % len(ATTENTION_FORMS)]
    to_coreml(network, inputs, folder / "unet.mlpackage", precision="fp32", attention=form)
    computed = CoreMLProgram(folder / "unet.mlpackage")(inputs)["output"]
    assert parity_of(torch_output(network, inputs), computed.numpy()).within(TOLERANCE)


@pytest.mark.slow
class TestEven:
    """Half of them: pytest's workers take a class each."""

    @pytest.mark.parametrize("seed", range(0, SPECS, 2))
    def test_converts_to_tflite_and_core_ml(self, seed: int, space: SearchSpace, tmp_path: Path) -> None:
        check(seed, space, tmp_path)


@pytest.mark.slow
class TestOdd:
    """The other half."""

    @pytest.mark.parametrize("seed", range(1, SPECS, 2))
    def test_converts_to_tflite_and_core_ml(self, seed: int, space: SearchSpace, tmp_path: Path) -> None:
        check(seed, space, tmp_path)
