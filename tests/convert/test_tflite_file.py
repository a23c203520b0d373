import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from archlab.architecture import preset, presets
from archlab.convert import (
    PARITY_TOLERANCES,
    FlatInputs,
    example_inputs,
    parity_of,
    run_tflite,
    to_tflite,
    to_tflite_by_litert_torch,
    torch_output,
    unaccelerated_operators,
)
from archlab.errors import BadInput, RunFailed
from archlab.surgery.litert_operators import operators
from archlab.unet import UNet, build
from tests.fingerprint import assert_unchanged


def test_every_knob_is_one_partition_and_equals_torch(
    mixture: str, make_unet: Callable[[str], UNet], tflite_file: Callable[[str], Path]
) -> None:
    unet, path = make_unet(mixture), tflite_file(mixture)
    inputs = example_inputs(unet.spec, seed=1)
    parity = parity_of(torch_output(FlatInputs(unet), inputs), run_tflite(path, inputs))
    assert parity.within(PARITY_TOLERANCES["fp32"]), parity
    assert _operations(path).count("DELEGATE") == 1
    assert unaccelerated_operators(path) == []


@pytest.mark.parametrize(("for_cpu", "convolutions"), [(True, 2), (False, 1)])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_wide_convolutions_are_split_for_the_cpu_alone(
    precision: str, for_cpu: bool, convolutions: int, tmp_path: Path
) -> None:
    conv, inputs = nn.Conv2d(1280, 8, 3, padding=1), {"input": torch.randn(1, 1280, 4, 4)}
    to_tflite(conv, inputs, tmp_path / "conv.tflite", precision=precision, for_cpu=for_cpu)
    assert _operations(tmp_path / "conv.tflite").count("CONV_2D") == convolutions
    parity = parity_of(torch_output(conv, inputs), run_tflite(tmp_path / "conv.tflite", inputs))
    assert parity.within(PARITY_TOLERANCES[precision]), parity


def test_operators_stay_while_the_version_does(tflite_file: Callable[[str], Path]) -> None:
    operators = Counter(name for name in _operations(tflite_file("baseline")) if name != "DELEGATE")
    recorded = {"ADD": 110, "BATCH_MATMUL": 20, "CONCATENATION": 8, "CONV_2D": 27, "COS": 1, "FULLY_CONNECTED": 75}
    recorded |= {"GELU": 5, "LOGISTIC": 26, "MEAN": 118, "MUL": 160, "PAD": 2, "RESHAPE": 173, "RSQRT": 37, "SIN": 1}
    recorded |= {"SOFTMAX": 10, "SQUARE": 15, "SQUARED_DIFFERENCE": 22, "SUB": 37, "TRANSPOSE": 42}
    assert_unchanged("CONVERT", dict(sorted(operators.items())), {4: recorded})


@pytest.mark.slow
@pytest.mark.parametrize("name", presets())
def test_every_preset_is_one_partition_and_equals_torch(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    unet = build(preset(name).deployed.scaled(width=0.05, sample_size=16))
    network, inputs = FlatInputs(unet), example_inputs(unet.spec)
    to_tflite(network, inputs, tmp_path / "model.tflite")
    parity = parity_of(torch_output(network, inputs), run_tflite(tmp_path / "model.tflite", inputs))
    assert parity.within(PARITY_TOLERANCES["fp32"]), parity
    assert _operations(tmp_path / "model.tflite").count("DELEGATE") == 1


# Bytes of a weight, against float32's four; int8 keeps its scales beside them.
@pytest.mark.parametrize(("precision", "smaller"), [("fp16", 0.6), ("int8", 0.45)])
def test_smaller_weights_stay_one_partition_near_torch(
    precision: str, smaller: float, make_unet: Callable[[str], UNet], tflite_file: Callable[[str], Path], tmp_path: Path
) -> None:
    unet, path = make_unet("activations_and_sharing"), tmp_path / "model.tflite"
    network, inputs = FlatInputs(unet), example_inputs(unet.spec)
    to_tflite(network, inputs, path, precision=precision)
    parity = parity_of(torch_output(network, inputs), run_tflite(path, inputs))
    assert PARITY_TOLERANCES["fp32"] < parity.max_relative <= PARITY_TOLERANCES[precision]
    assert path.stat().st_size < smaller * tflite_file("activations_and_sharing").stat().st_size
    assert unaccelerated_operators(path) == []
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("precision", "smaller", "tolerance"), [("fp32", 1.1, 0), ("fp16", 0.6, 5e-4), ("int8", 0.35, 5e-3)]
)
def test_table_of_tokens_is_in_the_files_precision(
    precision: str, smaller: float, tolerance: float, tmp_path: Path
) -> None:
    table, path = nn.Embedding(2000, 32), tmp_path / "model.tflite"
    inputs = {"input": torch.randint(2000, (2, 9), dtype=torch.int32)}
    to_tflite(table, inputs, path, precision=precision)
    assert parity_of(torch_output(table, inputs), run_tflite(path, inputs)).max_relative <= tolerance
    assert path.stat().st_size < smaller * table.weight.nbytes


def test_operators_that_break_the_partition_are_named(tmp_path: Path) -> None:
    class Lookup(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(10, 4)

        def forward(self, tokens: Tensor) -> Tensor:
            return self.table(tokens).exp()

    to_tflite(Lookup(), {"tokens": torch.arange(3, dtype=torch.int32)[None]}, tmp_path / "model.tflite")
    assert unaccelerated_operators(tmp_path / "model.tflite") == ["GATHER"]


def test_another_precision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"precision: TFLite has no 'fp8'; valid: fp16, fp32, int8"):
        to_tflite(nn.Identity(), {"input": torch.ones(1)}, tmp_path / "model.tflite", precision="fp8")


def test_inputs_have_their_names(tflite_file: Callable[[str], Path]) -> None:
    from ai_edge_litert.interpreter import Interpreter

    signature = Interpreter(str(tflite_file("removals_separable_added"))).get_signature_list()["serving_default"]
    assert set(signature["inputs"]) == {"sample", "timestep", "context", "text_embeds", "time_ids"}


def test_conversion_is_silent(
    make_unet: Callable[[str], UNet], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    unet = make_unet("no_transformers")
    to_tflite(FlatInputs(unet), example_inputs(unet.spec), tmp_path / "model.tflite")
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")
    assert logging.root.manager.disable == logging.NOTSET


def test_an_operation_without_a_form_is_one_line_and_leaves_no_file(tmp_path: Path) -> None:
    class CannotBeConverted(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.linalg.svdvals(x)

    with pytest.raises(RunFailed, match=r"^torch's linalg_svdvals, in module 1, has no form for a device$"):
        to_tflite(nn.Sequential(nn.ReLU(), CannotBeConverted()), {"input": torch.randn(3, 3)}, tmp_path / "m.tflite")
    assert list(tmp_path.iterdir()) == []


def test_a_large_network_has_its_weights_behind_the_flatbuffer(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(4096, 4096), nn.SiLU(), nn.Linear(4096, 8)).eval()
    x, path = torch.randn(1, 4096), tmp_path / "model.tflite"
    to_tflite(module, {"input": x}, path)
    content = path.read_bytes()
    weights = module[0].weight.detach().numpy().tobytes()
    assert content.index(weights) % 64 == 0
    assert content.index(weights) > len(content) - 4 * sum(p.numel() + 64 for p in module.parameters())
    assert parity_of(torch_output(module, {"input": x}), run_tflite(path, {"input": x})).within(1e-5)


def test_what_stands_for_sines_is_as_exact(make_unet: Callable[[str], UNet], tmp_path: Path) -> None:
    unet, path = make_unet("removals_separable_added"), tmp_path / "model.tflite"
    network, inputs = FlatInputs(unet), example_inputs(unet.spec)
    to_tflite(network, inputs, path, polynomial_sines=True)
    assert not {"SIN", "COS"} & set(_operations(path))
    assert parity_of(torch_output(network, inputs), run_tflite(path, inputs)).within(1e-5)


def test_the_same_network_gives_the_same_bytes(make_unet: Callable[[str], UNet], tmp_path: Path) -> None:
    for name in ("first", "second"):
        unet = make_unet("baseline")
        to_tflite(FlatInputs(unet), example_inputs(unet.spec), tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_litert_torch_converts_the_plain_network(tmp_path: Path) -> None:
    pytest.importorskip("litert_torch")
    module = nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.SiLU()).eval()
    inputs = {"input": torch.randn(1, 4, 8, 8)}
    to_tflite_by_litert_torch(module, inputs, tmp_path / "theirs.tflite")
    to_tflite(module, inputs, tmp_path / "ours.tflite")
    ours, theirs = (run_tflite(tmp_path / f"{name}.tflite", inputs) for name in ("ours", "theirs"))
    assert parity_of(theirs, ours).within(1e-5)


def _operations(path: Path) -> list[str]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    listed = operators(interpreter)
    assert listed is not None
    return [operator.name for operator in listed]
