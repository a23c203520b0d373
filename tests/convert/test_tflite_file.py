import logging
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from archlab.convert import compare, example_inputs, run_tflite, to_tflite, torch_output
from archlab.convert.retrace import decompose
from archlab.errors import MissingExtra, RunFailed
from archlab.unet import UNet

pytest.importorskip("ai_edge_litert")
pytest.importorskip("litert_torch")


def test_every_knob_is_one_partition_and_equals_torch(
    mixture: str, make_unet: Callable[[str], UNet], tflite_file: Callable[[str], Path]
) -> None:
    unet, path = make_unet(mixture), tflite_file(mixture)
    inputs = example_inputs(unet.spec, seed=1)
    parity = compare(torch_output(unet, inputs), run_tflite(path, inputs))
    assert parity.within(1e-4), parity
    assert _operations(path).count("DELEGATE") == 1


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

    def described(graph: torch.fx.Graph) -> list[tuple[str, list[int]]]:
        calls = [node for node in graph.nodes if node.op == "call_function" and "val" in node.meta]
        return [(str(node.target), list(node.meta["val"].shape)) for node in calls if _is_tensor(node)]

    assert described(ours.graph) == described(torchs.graph)
    x = torch.randn(1, 4, 8, 8)
    torch.testing.assert_close(ours.module()(x), program.module()(x))


def test_conversion_is_silent(
    make_unet: Callable[[str], UNet], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    to_tflite(make_unet("no_transformers"), tmp_path / "model.tflite")
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")
    assert logging.root.manager.disable == logging.NOTSET


def test_converter_error_is_one_line_and_leaves_no_file(
    make_unet: Callable[[str], UNet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot_be_converted(self: UNet, *_: Tensor) -> Tensor:
        return torch.linalg.svdvals(_[0])

    unet = make_unet("no_transformers")
    monkeypatch.setattr(UNet, "forward", cannot_be_converted)
    with pytest.raises(RunFailed, match=r"litert-torch cannot convert .*svd") as failure:
        to_tflite(unet, tmp_path / "model.tflite")
    assert "\n" not in str(failure.value)
    assert list(tmp_path.iterdir()) == []


def test_missing_extra_is_one_line(
    make_unet: Callable[[str], UNet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "litert_torch", None)
    with pytest.raises(MissingExtra, match=r"converting to TFLite .*pip install 'archlab\[tflite\]'"):
        to_tflite(make_unet("no_transformers"), tmp_path / "model.tflite")


def _operations(path: Path) -> list[str]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    return [operation["op_name"] for operation in interpreter._get_ops_details()]


def _is_tensor(node: torch.fx.Node) -> bool:
    return isinstance(node.meta["val"], Tensor)
