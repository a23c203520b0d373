"""A UNet as a TFLite file."""

import os
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from archlab.convert.device_form import device_form
from archlab.convert.inputs import FlatInputs, example_inputs
from archlab.convert.quiet import quiet
from archlab.convert.retrace import quick_decompositions
from archlab.errors import RunFailed, require
from archlab.files import atomic_path
from archlab.unet import UNet


def to_tflite(unet: UNet, path: str | Path) -> None:
    """Write the UNet's device form for a batch of one as float32, whole or not at all.

    Inputs are named as in `archlab.convert.inputs.example_inputs`.

    Raises:
        MissingExtra: litert-torch is not installed.
        RunFailed: the converter gave up; the message has its reason.
    """
    with quiet(), patch.dict(os.environ, {"LITERT_TORCH_SHOW_PROGRESS": "n"}):
        litert_torch = require("litert_torch", "converting to TFLite", "tflite")
        module = device_form(FlatInputs(unet))
        try:
            with torch.no_grad(), quick_decompositions(), atomic_path(Path(path)) as temporary:
                converted = litert_torch.convert(module, sample_kwargs=example_inputs(unet.spec))
                converted.export(str(temporary))
        except Exception as error:
            raise RunFailed(f"{path}: litert-torch cannot convert {unet.spec.id}: {reason(error)}") from error


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
