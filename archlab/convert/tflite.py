"""A network as a TFLite file."""

import io
import os
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from archlab.convert.device_form import device_form
from archlab.convert.quiet import quiet
from archlab.errors import BadInput, RunFailed, nearest, require
from archlab.files import atomic_path
from archlab.surgery.torch_export import quick_decompositions

PRECISIONS = ("fp32", "fp16", "int8")


def to_tflite(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    path: str | Path,
    *,
    precision: str = "fp32",
    attention: str = "plain",
) -> None:
    """Write the network's device form for inputs of these shapes, whole or not at all.

    Args:
        inputs: by the names of ``module.forward``'s arguments; the file's inputs have the same names.
        precision: ``fp16``: the weights are; ``int8``: the weights of matrix products and convolutions are, by
            channel, and the runtime quantises what they are multiplied with (dynamic). Inputs, outputs and sums stay
            float32.
        attention: ``plain``, the one form that is a single partition of XNNPACK, and its fastest; the others are the
            Neural Engine's.

    Raises:
        BadInput: TFLite has no such precision or form of attention.
        MissingExtra: litert-torch is not installed.
        RunFailed: the converter gave up; the message has its reason.
    """
    if precision not in PRECISIONS:
        raise BadInput(f"precision: TFLite has no {precision!r}{nearest(precision, PRECISIONS)}")
    if attention != "plain":
        raise BadInput(f"attention: TFLite has only 'plain' but got {attention!r}; the split forms are for Core ML")
    form = device_form(module)
    with quiet(), patch.dict(os.environ, {"LITERT_TORCH_SHOW_PROGRESS": "n"}):
        litert_torch = require("litert_torch", "converting to TFLite", "tflite")
        try:
            with torch.no_grad(), quick_decompositions(), atomic_path(Path(path)) as temporary:
                litert_torch.convert(form, sample_kwargs=dict(inputs)).export(str(temporary))
                if precision != "fp32":
                    _quantize(temporary, precision)
        except Exception as error:
            raise RunFailed(f"{path}: litert-torch cannot convert the network: {reason(error)}") from error


def run_tflite(path: str | Path, inputs: Mapping[str, Tensor]) -> NDArray[np.float32]:
    """The output that the TFLite interpreter computes for these inputs."""
    interpreter = require("ai_edge_litert.interpreter", "running TFLite files", "tflite")
    with quiet():
        run = interpreter.Interpreter(str(path), num_threads=1).get_signature_runner()
        (output,) = run(**{name: tensor.numpy() for name, tensor in inputs.items()}).values()
    return np.asarray(output)


def reason(error: Exception) -> str:
    """The first line of what a library said, with the kind of its error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _quantize(path: Path, precision: str) -> None:
    """Replace the file by the same with smaller weights."""
    quantizer = require("ai_edge_quantizer.quantizer", f"{precision} weights", "tflite")
    with atomic_path(path) as smaller, redirect_stdout(io.StringIO()):  # its report
        quantizer.Quantizer(str(path), _RECIPES[precision]()).quantize().export_model(str(smaller), overwrite=True)


def _cast_to_fp16() -> list[dict[str, Any]]:
    weights = {"num_bits": 16, "dtype": "FLOAT", "symmetric": True, "granularity": "TENSORWISE"}
    return [
        {
            "regex": ".*",
            "operation": "*",
            "algorithm_key": "float_casting",
            "op_config": {
                "weight_tensor_config": weights,
                "compute_precision": "FLOAT",
                "explicit_dequantize": True,
            },
        }
    ]


def _dynamic_int8() -> list[dict[str, Any]]:
    recipe: list[dict[str, Any]] = require("ai_edge_quantizer.recipe", "int8 weights", "tflite").dynamic_wi8_afp32()
    return recipe


_RECIPES: dict[str, Callable[[], list[dict[str, Any]]]] = {"fp16": _cast_to_fp16, "int8": _dynamic_int8}
