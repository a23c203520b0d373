"""Packages with the names and types that were asked for, in two chunks, and with weights in fewer bits."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from archlab.convert import CoreMLProgram, FlatInputs, example_inputs, parity_of, to_coreml, to_coreml_chunks
from archlab.convert.graph import Constant, Graph, halves, run_graph, trace
from archlab.unet import UNet

coremltools = pytest.importorskip("coremltools")


def described(path: Path) -> dict[str, tuple[str, list[int]]]:
    """Inputs and outputs as Core ML shows them to an app: type and shape by name."""
    description = coremltools.models.MLModel(str(path), skip_model_load=True).get_spec().description
    kinds = coremltools.proto.FeatureTypes_pb2.ArrayFeatureType.ArrayDataType
    return {
        feature.name: (kinds.Name(feature.type.multiArrayType.dataType), list(feature.type.multiArrayType.shape))
        for feature in (*description.input, *description.output)
    }


def parameters(graph: Graph) -> int:
    return sum(value.tensor.numel() for value in graph.values() if isinstance(value, Constant))


def largest_difference(expected: Tensor, actual: Tensor) -> float:
    return parity_of(expected.numpy(), actual.float().numpy()).max_relative


@pytest.fixture(scope="module")
def unet(make_unet: Callable[[str], UNet]) -> UNet:
    return make_unet("full_block_counts")


@pytest.fixture(scope="module")
def inputs(unet: UNet) -> dict[str, Tensor]:
    return example_inputs(unet.spec, seed=1)


@pytest.fixture(scope="module")
def expected(unet: UNet, inputs: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        made: Tensor = FlatInputs(unet)(**inputs)
    return made


def test_inputs_have_the_types_of_the_examples_and_outputs_those_that_were_asked_for(
    unet: UNet, inputs: dict[str, Tensor], expected: Tensor, tmp_path: Path
) -> None:
    half = {name: tensor.half() for name, tensor in inputs.items()}
    to_coreml(FlatInputs(unet), half, tmp_path / "unet.mlpackage", outputs={"noise_pred": "fp32"})
    spec, size = unet.spec, unet.spec.sample_size
    assert described(tmp_path / "unet.mlpackage") == {
        "sample": ("FLOAT16", [1, 4, size, size]),
        "timestep": ("FLOAT16", [1]),
        "context": ("FLOAT16", [1, spec.context_length, spec.context_dim]),
        "noise_pred": ("FLOAT32", [1, 4, size, size]),
    }
    (made,) = CoreMLProgram(tmp_path / "unet.mlpackage")(inputs).values()
    assert 1e-5 < largest_difference(expected, made) < 2e-2


class Scaled(nn.Module):
    """A layer in half precision, and arithmetic after it that an exact output needs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(2, 2, 1)

    def forward(self, x: Tensor, scale: Tensor) -> Tensor:
        return 1e-4 * self.layer(x) + x * scale


def test_arithmetic_that_only_an_exact_output_needs_is_exact(tmp_path: Path) -> None:
    torch.manual_seed(0)
    inputs = {"x": torch.randn(1, 2, 4, 4), "scale": torch.tensor([0.1234567])}
    module = Scaled().eval()
    to_coreml(module, inputs, tmp_path / "exact.mlpackage", outputs={"y": "fp32"})
    to_coreml(module, inputs, tmp_path / "half.mlpackage", outputs={"y": "fp16"})
    with torch.no_grad():
        expected = module(**inputs)
    differences = [
        largest_difference(expected, CoreMLProgram(tmp_path / f"{name}.mlpackage")(inputs)["y"])
        for name in ("exact", "half")
    ]
    assert differences[0] < 1e-6 < 1e-4 < differences[1]


def test_halves_of_a_graph_compute_the_whole_with_half_of_the_weights_each(
    unet: UNet, inputs: dict[str, Tensor], expected: Tensor
) -> None:
    graph = trace(FlatInputs(unet), inputs)
    first, second, names = halves(graph)
    handed_over = dict(zip(names, run_graph(first, inputs), strict=True))
    (made,) = run_graph(second, inputs | handed_over)
    assert largest_difference(expected, made) < 1e-5
    assert 0.44 < parameters(first) / parameters(graph) < 0.56
    assert 0.44 < parameters(second) / parameters(graph) < 0.56
    assert {"sample", "context"} <= set(first.inputs)
    assert not set(names) & set(graph.inputs)
    assert all(tensor.dim() in (2, 4) for tensor in handed_over.values())  # feature maps and the time's embedding


@pytest.mark.parametrize("attention", ["plain", "split_einsum"])
def test_chunks_one_after_the_other_compute_the_whole(
    attention: str, unet: UNet, inputs: dict[str, Tensor], expected: Tensor, tmp_path: Path
) -> None:
    paths = (tmp_path / "UnetChunk1.mlpackage", tmp_path / "UnetChunk2.mlpackage")
    to_coreml_chunks(
        FlatInputs(unet), inputs, paths, precision="fp32", attention=attention, outputs={"noise_pred": "fp32"}
    )
    first, second = (CoreMLProgram(path) for path in paths)
    made = second(inputs | first(inputs))
    assert list(made) == ["noise_pred"]
    assert largest_difference(expected, made["noise_pred"]) < 1e-5


@pytest.mark.parametrize(
    ("precision", "bits", "error"), [("int8", 8, 0.01), ("palette6", 6, 0.1), ("palette4", 4, 0.3)]
)
def test_weights_in_fewer_bits(precision: str, bits: int, error: float, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(16, 64, 3), nn.SiLU(), nn.Conv2d(64, 32, 3))
    inputs = {"input": torch.randn(1, 16, 8, 8)}
    for name in (precision, "fp16"):
        to_coreml(module, inputs, tmp_path / f"{name}.mlpackage", precision=name, outputs={"y": "fp32"})
    few, full = (
        sum(file.stat().st_size for file in (tmp_path / f"{name}.mlpackage").rglob("weight.bin"))
        for name in (precision, "fp16")
    )
    assert few / full == pytest.approx(bits / 16, rel=0.1)

    program = CoreMLProgram(tmp_path / f"{precision}.mlpackage")
    kernels = [weight for weight in program.weights.values() if weight.dim() == 4]
    assert len(kernels) == 2
    each = [kernel[0] if precision == "int8" else kernel for kernel in kernels]
    assert all(len(torch.unique(weights)) <= 2**bits for weights in each)
    with torch.no_grad():
        assert 1e-4 < largest_difference(module(**inputs), program(inputs)["y"]) < error
