"""A network as a Core ML package. Conversion runs anywhere; running the package takes a Mac or an iPhone."""

import io
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from archlab.convert.graph import trace
from archlab.convert.quiet import quiet
from archlab.errors import BadInput, RunFailed, nearest, reason, require
from archlab.files import atomic_folder

ATTENTION_FORMS = ("plain", "split_einsum", "split_einsum_v2")
_PRECISIONS = ("fp16", "fp32")


def to_coreml(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    path: str | Path,
    *,
    precision: str = "fp16",
    attention: str = "split_einsum",
) -> None:
    """Write an ``.mlpackage`` folder for inputs of these shapes, iOS 17 or later, whole or not at all.

    An older package at ``path`` is replaced. The output is named ``output``; several are ``output_0``, ``output_1`` ….
    The module is neither changed nor copied.

    Args:
        inputs: by the names of ``module.forward``'s arguments; the package's inputs have the same names.
        precision: in which it computes, ``fp16`` (but for sinusoids) or ``fp32``; outputs are of this type.
        attention: ``plain``: tokens as [B, L, C]; ``split_einsum`` and ``split_einsum_v2``, made for the Neural Engine:
            see `archlab.convert.coreml.split_einsum`.

    Raises:
        BadInput: there is no such precision or form of attention; ``path`` does not end in ``.mlpackage``, or is a
            file or some other folder.
        MissingExtra: coremltools is not installed.
        RunFailed: the network has an operation without a form, or coremltools gave up; the message has the reason.
    """
    path = Path(path)
    if precision not in _PRECISIONS:
        raise BadInput(f"precision: Core ML has no {precision!r}{nearest(precision, _PRECISIONS)}")
    if path.suffix != ".mlpackage":
        raise BadInput(f"{path}: a Core ML package's name ends in .mlpackage")
    if path.exists() and not (path / "Manifest.json").is_file():
        raise BadInput(f"{path}: exists and is not a Core ML package; name another path")
    if attention not in ATTENTION_FORMS:
        raise BadInput(f"attention: there is no {attention!r}{nearest(attention, ATTENTION_FORMS)}")
    with quiet(), atomic_folder(path) as folder:
        coremltools = require("coremltools", "converting to Core ML", "coreml")
        from archlab.convert.coreml.passes import compute_precision, pass_pipeline
        from archlab.convert.coreml.program import mil_program

        graph = trace(module, inputs)
        try:
            with redirect_stderr(io.StringIO()):  # its progress bars
                package = coremltools.convert(
                    mil_program(graph, attention, precision),
                    minimum_deployment_target=coremltools.target.iOS17,
                    compute_precision=compute_precision(precision),
                    pass_pipeline=pass_pipeline(),
                    skip_model_load=True,
                )
            package.save(str(folder))
        except Exception as error:
            raise RunFailed(f"{path}: coremltools cannot write the network: {reason(error)}") from error


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
