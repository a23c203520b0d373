import logging
import sys
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archlab.architecture import preset, presets
from archlab.convert import (
    PARITY_TOLERANCES,
    FlatInputs,
    example_inputs,
    parity_of,
    run_tflite,
    to_tflite,
    torch_output,
    unaccelerated_operators,
)
from archlab.errors import BadInput, MissingExtra, RunFailed
from archlab.surgery.litert_operators import operators
from archlab.surgery.node_by_node import decompose
from archlab.unet import UNet, build
from tests.fingerprint import assert_unchanged

pytest.importorskip("ai_edge_litert")
pytest.importorskip("litert_torch")


def test_every_knob_is_one_partition_and_equals_torch(
    mixture: str, make_unet: Callable[[str], UNet], tflite_file: Callable[[str], Path]
) -> None:
    unet, path = make_unet(mixture), tflite_file(mixture)
    inputs = example_inputs(unet.spec, seed=1)
    parity = parity_of(torch_output(FlatInputs(unet), inputs), run_tflite(path, inputs))
    assert parity.within(PARITY_TOLERANCES["fp32"]), parity
    assert _operations(path).count("DELEGATE") == 1
    assert unaccelerated_operators(path) == []


@pytest.mark.skipif(version("litert-torch") != "0.10.0", reason="another release may write another file")
def test_operators_stay_while_the_version_does(tflite_file: Callable[[str], Path]) -> None:
    operators = Counter(name for name in _operations(tflite_file("baseline")) if name != "DELEGATE")
    recorded = {"ADD": 119, "BATCH_MATMUL": 20, "CONCATENATION": 8, "CONV_2D": 27, "FLOOR": 1, "FULLY_CONNECTED": 75}
    recorded |= {"GELU": 5, "LOGISTIC": 19, "MEAN": 74, "MUL": 156, "PAD": 2, "RESHAPE": 184, "RSQRT": 37}
    recorded |= {"SOFTMAX": 10, "SUB": 41, "TRANSPOSE": 58}
    assert_unchanged("CONVERT", dict(sorted(operators.items())), {1: recorded})


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


def test_operators_that_break_the_partition_are_named(tmp_path: Path) -> None:
    import litert_torch

    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.cumsum(x * 2, dim=-1).relu() + torch.sin(x).cumsum(dim=-1)

    litert_torch.convert(Broken().eval(), (torch.randn(4, 8),)).export(str(tmp_path / "model.tflite"))
    assert unaccelerated_operators(tmp_path / "model.tflite") == ["CUMSUM"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "fp8"}, r"precision: TFLite has no 'fp8'; valid: fp16, fp32, int8"),
        ({"attention": "split_einsum"}, r"attention: TFLite has only 'plain' but got 'split_einsum'"),
    ],
)
def test_what_tflite_does_not_have_is_refused(options: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=message):
        to_tflite(nn.Identity(), {"input": torch.ones(1)}, tmp_path / "model.tflite", **options)


def test_inputs_have_their_names(tflite_file: Callable[[str], Path]) -> None:
    from ai_edge_litert.interpreter import Interpreter

    signature = Interpreter(str(tflite_file("removals_separable_added"))).get_signature_list()["serving_default"]
    assert set(signature["inputs"]) == {"sample", "timestep", "context", "text_embeds", "time_ids"}


def test_node_by_node_decomposition_gives_torchs_own_graph() -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.linear = nn.Conv2d(4, 8, 3, stride=2, padding=1), nn.Linear(8, 6)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            h = torch.nn.functional.silu(self.conv(x)).flatten(2).transpose(1, 2)
            first, second = self.linear(h).chunk(2, dim=-1)
            weights = torch.bmm(first, second.transpose(1, 2)).softmax(-1)
            return weights @ second, h.mean(-1, keepdim=True)

    program = torch.export.export(Network().eval(), (torch.randn(1, 4, 8, 8),))
    table = torch.export.default_decompositions()
    ours, torchs = decompose(program, table), program.run_decompositions(table)
    assert ours is not None

    def described(graph: torch.fx.Graph) -> list[tuple[str, list[int]]]:
        calls = [node for node in graph.nodes if node.op == "call_function" and "val" in node.meta]
        return [(str(node.target), list(node.meta["val"].shape)) for node in calls if _is_tensor(node)]

    assert described(ours.graph) == described(torchs.graph)
    x = torch.randn(1, 4, 8, 8)
    torch.testing.assert_close(ours.module()(x), program.module()(x))


def test_node_by_node_decomposition_tells_equally_made_arguments_apart() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.query, self.key, self.value = (nn.Linear(8, 8) for _ in range(3))

        def forward(self, x: Tensor) -> Tensor:
            return F.scaled_dot_product_attention(self.query(x), self.key(x), self.value(x))

    program = torch.export.export(Attention().eval(), (torch.randn(1, 6, 8),))
    table = torch.export.default_decompositions()
    x = torch.randn(1, 6, 8)
    once = decompose(program, table)
    assert once is not None
    twice = decompose(once, table)
    assert twice is not None
    torch.testing.assert_close(twice.module()(x), program.module()(x))


def test_conversion_is_silent(
    make_unet: Callable[[str], UNet], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    unet = make_unet("no_transformers")
    to_tflite(FlatInputs(unet), example_inputs(unet.spec), tmp_path / "model.tflite")
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")
    assert logging.root.manager.disable == logging.NOTSET


def test_converter_error_is_one_line_and_leaves_no_file(tmp_path: Path) -> None:
    class CannotBeConverted(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.linalg.svdvals(x)

    with pytest.raises(RunFailed, match=r"litert-torch cannot convert .*svd") as failure:
        to_tflite(CannotBeConverted(), {"x": torch.randn(3, 3)}, tmp_path / "model.tflite")
    assert "\n" not in str(failure.value)
    assert list(tmp_path.iterdir()) == []


def test_missing_extra_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "litert_torch", None)
    with pytest.raises(MissingExtra, match=r"converting to TFLite .*pip install 'archlab\[tflite\]'"):
        to_tflite(nn.Identity(), {"input": torch.ones(1)}, tmp_path / "model.tflite")


def _operations(path: Path) -> list[str]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    listed = operators(interpreter)
    assert listed is not None
    return [operator.name for operator in listed]


def _is_tensor(node: torch.fx.Node) -> bool:
    return isinstance(node.meta["val"], Tensor)
