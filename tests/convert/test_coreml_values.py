"""What Core ML packages compute equals torch: their programs are run by `CoreMLProgram`."""

from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from archlab.architecture import preset, presets
from archlab.convert import ATTENTION_FORMS, FlatInputs, example_inputs, parity_of, to_coreml
from archlab.convert.coreml.interpreter import CoreMLProgram
from archlab.convert.graph import OPERATORS
from archlab.errors import RunFailed
from archlab.unet import UNet, build
from archlab.unet.time_embedding import sinusoids
from tests.convert.networks_of_others import diffusers_unet
from tests.convert.test_graph import Does
from tests.convert.test_tflite_forms import CASES
from tests.latency.test_pipeline import TINY

pytest.importorskip("coremltools")
from archlab.convert.coreml import split_einsum
from archlab.convert.coreml.operators import FORMS


def differences(module: nn.Module, inputs: dict[str, Tensor], path: Path, **options: str) -> dict[str, float]:
    """Each output's largest difference from torch's, as a share of its scale."""
    to_coreml(module, inputs, path, **options)
    with torch.no_grad():
        expected = [leaf for leaf in tree_leaves(module.eval()(**inputs)) if isinstance(leaf, Tensor)]
    actual = CoreMLProgram(path)(inputs)
    return {
        name: parity_of(one.numpy(), other.float().numpy()).max_relative
        for one, (name, other) in zip(expected, actual.items(), strict=True)
    }


def test_every_operator_has_a_form() -> None:
    assert FORMS.keys() == OPERATORS.keys()


@pytest.mark.parametrize("attention", ATTENTION_FORMS)
@pytest.mark.parametrize("after_linear", [False, True], ids=["of a feature map", "of what lies with channels first"])
def test_every_operator_equals_torch(
    after_linear: bool, attention: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(split_einsum, "QUERY_CHUNK", 4)  # of 6 queries

    def all_cases(x: Tensor) -> list[Tensor]:
        x = F.linear(x, torch.eye(5)) if after_linear else x
        return [case(x) for case in CASES.values()]

    x = torch.randn(2, 4, 6, 5, generator=torch.Generator().manual_seed(0))
    options = {"attention": attention, "precision": "fp32"}
    found = differences(Does(all_cases), {"x": x}, tmp_path / "all.mlpackage", **options)
    by_case = dict(zip(CASES, found.values(), strict=True))
    assert {case: difference for case, difference in by_case.items() if difference > 5e-6} == {}


@pytest.mark.parametrize("attention", ["plain", "split_einsum_v2"])
def test_every_knob_equals_torch(
    mixture: str,
    attention: str,
    make_unet: Callable[[str], UNet],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(split_einsum, "QUERY_CHUNK", 24)  # of 64, 16 and 4 queries: two chunks and a rest, and one
    unet = make_unet(mixture)
    options = {"attention": attention, "precision": "fp32"}
    found = differences(FlatInputs(unet), example_inputs(unet.spec, seed=1), tmp_path / "unet.mlpackage", **options)
    assert found["output"] < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize(("name", "attention"), zip(presets(), cycle(ATTENTION_FORMS), strict=False))
def test_every_preset_equals_torch(name: str, attention: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    unet = build(preset(name).deployed.scaled(width=0.05, sample_size=16))
    options = {"attention": attention, "precision": "fp32"}
    found = differences(FlatInputs(unet), example_inputs(unet.spec), tmp_path / "unet.mlpackage", **options)
    assert found["output"] < 1e-4


def test_batches_equal_torch(make_unet: Callable[[str], UNet], tmp_path: Path) -> None:
    inputs = {
        "sample": torch.randn(3, 4, 8, 8),
        "timestep": torch.tensor([0.0, 500.0, 999.0]),
        "context": torch.randn(3, 5, 32),
    }
    found = differences(FlatInputs(make_unet("baseline")), inputs, tmp_path / "unet.mlpackage", precision="fp32")
    assert found["output"] < 1e-5


def test_half_precision_is_near_torch(make_unet: Callable[[str], UNet], tmp_path: Path) -> None:
    unet = make_unet("activations_and_sharing")
    inputs = example_inputs(unet.spec) | {"timestep": torch.tensor([999.0])}
    found = differences(FlatInputs(unet), inputs, tmp_path / "unet.mlpackage")
    assert 1e-5 < found["output"] < 1e-2


def test_sinusoids_of_late_time_steps_are_exact_in_half_precision(tmp_path: Path) -> None:
    # in float16 angles above 512 are 0.5 apart, and sines of them anything
    late = {"x": torch.tensor([801.0, 999.0])}
    found = differences(Does(lambda x: sinusoids(x, 320)), late, tmp_path / "sinusoids.mlpackage")
    assert found["output"] < 1e-3


@pytest.mark.parametrize("linear_projection", [False, True])
def test_diffusers_unet_equals_torch_in_split_form(linear_projection: bool, tmp_path: Path) -> None:
    unet, inputs = diffusers_unet(linear_projection)
    path = tmp_path / "unet.mlpackage"
    assert differences(unet, inputs, path, precision="fp32")["output"] < 1e-5
    kinds = CoreMLProgram(path).operations
    time_layers = sum(isinstance(part, nn.Linear) and "time_emb" in name for name, part in unet.named_modules())
    assert (kinds["matmul"], kinds["linear"]) == (0, time_layers)
    assert kinds["transpose"] == 8 + 1  # the keys of 4 stacks' self- and cross-attention, and the context


class Decoding(nn.Module):
    def __init__(self, vae: AutoencoderKL) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, latent: Tensor) -> Any:
        return self.vae.decode(latent)


@pytest.mark.parametrize("attention", ["plain", "split_einsum"])
def test_diffusers_decoder_equals_torch(attention: str, tmp_path: Path) -> None:
    vae = AutoencoderKL(
        latent_channels=4,
        block_out_channels=(16, 32),
        norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
    )
    inputs = {"latent": torch.randn(1, 4, 8, 8)}
    options = {"attention": attention, "precision": "fp32"}
    assert differences(Decoding(vae), inputs, tmp_path / "vae.mlpackage", **options)["output"] < 1e-5


@pytest.mark.parametrize("attention", ["plain", "split_einsum"])
@pytest.mark.parametrize("name", TINY)
def test_parts_of_the_pipeline_equal_torch(name: str, attention: str, tmp_path: Path) -> None:
    module, inputs = TINY[name].build(0)
    options = {"attention": attention, "precision": "fp32"}
    assert differences(module, dict(inputs), tmp_path / "part.mlpackage", **options)["output"] < 1e-5


def test_untrained_networks_have_the_operators_of_trained_ones(
    make_unet: Callable[[str], UNet], tmp_path: Path
) -> None:
    trained = make_unet("baseline")
    untrained = build(trained.spec)
    for name, unet in (("trained", trained), ("untrained", untrained)):
        to_coreml(FlatInputs(unet), example_inputs(unet.spec), tmp_path / f"{name}.mlpackage", precision="fp32")
    kinds = {name: CoreMLProgram(tmp_path / f"{name}.mlpackage").operations for name in ("trained", "untrained")}
    for counted in kinds.values():
        del counted["const"]  # equal ones are one
    assert kinds["trained"] == kinds["untrained"]


def test_several_outputs_are_numbered(tmp_path: Path) -> None:
    found = differences(Does(lambda x: (x * 2, x.sum(-1))), {"x": torch.randn(2, 3)}, tmp_path / "two.mlpackage")
    assert list(found) == ["output_0", "output_1"]


def test_operation_without_a_form_is_one_line_and_leaves_no_package(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="cumsum, in the network's forward, has no form") as failure:
        to_coreml(Does(lambda x: x.cumsum(0)), {"x": torch.ones(3)}, tmp_path / "unet.mlpackage")
    assert "\n" not in str(failure.value)
    assert list(tmp_path.iterdir()) == []
