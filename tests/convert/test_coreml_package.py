import importlib
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from torch import nn

from archlab.convert import FlatInputs, example_inputs, to_coreml
from archlab.errors import BadInput, MissingExtra
from archlab.unet import UNet
from archlab.unet.transformer import TransformerStack
from tests.fingerprint import assert_unchanged

OPERATIONS_OF = "9.0"  # coremltools
# const, conv, linear, matmul, einsum, mul, add, softmax, reshape. Version 1, by coremltools' torch frontend, had 17
# expand_dims (18 in the split forms) where 9 of these reshapes (and 1) are, hardswish in one operator more, and 8 const
# more; all others were as many.
OPERATIONS = {
    "plain": [865, 27, 67, 20, 0, 62, 58, 10, 100],
    "split_einsum": [1183, 84, 10, 0, 40, 52, 58, 20, 63],
    "split_einsum_v2": [1263, 84, 10, 0, 72, 52, 58, 36, 63],
}


def test_package_has_the_names_and_shapes_of_the_spec_and_replaces_an_old_one(
    make_unet: Callable[[str], UNet], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    coremltools = pytest.importorskip("coremltools")
    path = tmp_path / "unet.mlpackage"
    path.mkdir()
    (path / "Manifest.json").write_text("{}")
    (path / "old").write_text("old")

    unet = make_unet("added")
    to_coreml(FlatInputs(unet), example_inputs(unet.spec), path)

    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")
    spec = coremltools.models.MLModel(str(path), skip_model_load=True).get_spec()
    described = {
        feature.name: list(feature.type.multiArrayType.shape)
        for feature in (*spec.description.input, *spec.description.output)
    }
    assert described == {
        "sample": [1, 4, 8, 8],
        "timestep": [1],
        "context": [1, 7, 32],
        "text_embeds": [1, 16],
        "time_ids": [1, 6],
        "output": [1, 4, 8, 8],
    }
    assert not (path / "old").exists()
    assert list(tmp_path.iterdir()) == [path]


# 5 transformers: 4 products a head of 2 heads, 40 in all; queries 64, 16, 4, 16 and 64, in chunks of 24: 3, 1, 1, 1, 3
@pytest.mark.parametrize(("attention", "products"), [("plain", 0), ("split_einsum", 40), ("split_einsum_v2", 72)])
def test_attention_has_the_form_that_was_asked_for(
    attention: str,
    products: int,
    make_unet: Callable[[str], UNet],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    coremltools = pytest.importorskip("coremltools")
    split_einsum = importlib.import_module("archlab.convert.coreml.split_einsum")
    monkeypatch.setattr(split_einsum, "QUERY_CHUNK", 24)
    unet = make_unet("activations_and_sharing")
    to_coreml(FlatInputs(unet), example_inputs(unet.spec), tmp_path / "unet.mlpackage", attention=attention)

    program = coremltools.models.MLModel(str(tmp_path / "unet.mlpackage"), skip_model_load=True).get_spec().mlProgram
    (block,) = program.functions["main"].block_specializations.values()
    makers = {output.name: operation.type for operation in block.operations for output in operation.outputs}
    kinds = Counter(operation.type for operation in block.operations)
    counted = [
        kinds[kind] for kind in ("const", "conv", "linear", "matmul", "einsum", "mul", "add", "softmax", "reshape")
    ]
    if coremltools.__version__ == OPERATIONS_OF:  # another release may write another package
        assert_unchanged("CONVERT", counted, {4: OPERATIONS[attention]})
    assert max(output.type.tensorType.rank for operation in block.operations for output in operation.outputs) == 4
    assert kinds["einsum"] == products
    if attention != "plain":
        assert kinds["matmul"] == 0
        assert kinds["linear"] == _linear_layers_of_time(unet)
        weights = [operation.inputs["weight"] for operation in block.operations if operation.type == "conv"]
        assert {makers[argument.name] for weight in weights for argument in weight.arguments} == {"const"}


def _linear_layers_of_time(unet: UNet) -> int:
    transformers = {part for stack in unet.modules() if isinstance(stack, TransformerStack) for part in stack.modules()}
    return sum(isinstance(part, nn.Linear) for part in set(unet.modules()) - transformers)


def test_unknown_precision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"precision: Core ML has no 'bf16'; did you mean 'fp16'"):
        to_coreml(nn.Identity(), {}, tmp_path / "unet.mlpackage", precision="bf16")


def test_unknown_form_of_attention_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"attention: there is no 'split_einsun'; did you mean 'split_einsum'"):
        to_coreml(nn.Identity(), {}, tmp_path / "unet.mlpackage", attention="split_einsun")


def test_refuses_to_replace_another_folder(tmp_path: Path) -> None:
    path = tmp_path / "photos.mlpackage"
    path.mkdir()
    (path / "dog.jpg").write_text("woof")
    with pytest.raises(BadInput, match=r"photos\.mlpackage: exists and is not a Core ML package"):
        to_coreml(nn.Identity(), {}, path)
    assert (path / "dog.jpg").exists()


def test_refuses_another_suffix(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"ends in \.mlpackage"):
        to_coreml(nn.Identity(), {}, tmp_path / "unet.mlmodel")


def test_coremltools_is_imported_without_its_remarks() -> None:
    pytest.importorskip("coremltools")
    code = "from archlab.convert.coreml import require_coremltools; require_coremltools('a test')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_missing_extra_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "coremltools", None)
    with pytest.raises(MissingExtra, match=r"converting to Core ML .*pip install 'archlab\[coreml\]'"):
        to_coreml(nn.Identity(), {}, tmp_path / "unet.mlpackage")
    assert list(tmp_path.iterdir()) == []
