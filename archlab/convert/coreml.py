"""A UNet as a Core ML package. Conversion runs anywhere; running the package takes a Mac or an iPhone."""

import io
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from archlab.convert.inputs import FlatInputs, example_inputs
from archlab.convert.quiet import quiet
from archlab.convert.tflite import reason
from archlab.errors import BadInput, RunFailed, require
from archlab.files import atomic_folder
from archlab.unet import UNet


def to_coreml(unet: UNet, path: str | Path, *, precision: Literal["float16", "float32"] = "float16") -> None:
    """Write an ``.mlpackage`` folder for a batch of one, iOS 17 or later, whole or not at all.

    An older package at ``path`` is replaced. Inputs are named as in `example_inputs`, the output ``noise``.

    Raises:
        BadInput: ``path`` does not end in ``.mlpackage``, or is a file or some other folder.
        MissingExtra: coremltools is not installed.
        RunFailed: the converter gave up; the message has its reason.
    """
    path = Path(path)
    if path.suffix != ".mlpackage":
        raise BadInput(f"{path}: a Core ML package's name ends in .mlpackage")
    if path.exists() and not (path / "Manifest.json").is_file():
        raise BadInput(f"{path}: exists and is not a Core ML package; name another path")
    with quiet(), atomic_folder(path) as folder:
        coremltools = require("coremltools", "converting to Core ML", "coreml")
        inputs = example_inputs(unet.spec)
        was_training = unet.training
        try:
            with torch.no_grad():
                program = torch.export.export(FlatInputs(unet).eval(), (), kwargs=inputs).run_decompositions({})
            with redirect_stderr(io.StringIO()):  # its progress bars
                package = coremltools.convert(
                    program,
                    outputs=[coremltools.TensorType(name="noise")],
                    minimum_deployment_target=coremltools.target.iOS17,
                    compute_precision=coremltools.precision(precision),
                    skip_model_load=True,
                )
            package.save(str(folder))
        except Exception as error:
            raise RunFailed(f"{path}: coremltools cannot convert {unet.spec.id}: {reason(error)}") from error
        finally:
            unet.train(was_training)


def can_run_coreml() -> bool:
    """Whether Core ML packages run here: only macOS has the runtime."""
    return sys.platform == "darwin"


def run_coreml(path: str | Path, inputs: Mapping[str, Tensor]) -> NDArray[np.float32]:
    """The output that Core ML computes for these inputs, on the CPU; macOS only.

    Raises:
        BadInput: this is not macOS.
    """
    if not can_run_coreml():
        raise BadInput(f"{path}: running Core ML takes macOS; this is {sys.platform}")
    coremltools = require("coremltools", "running Core ML packages", "coreml")
    with quiet():
        model = coremltools.models.MLModel(str(path), compute_units=coremltools.ComputeUnit.CPU_ONLY)
        (output,) = model.predict({name: tensor.numpy() for name, tensor in inputs.items()}).values()
    return np.asarray(output, dtype=np.float32)
