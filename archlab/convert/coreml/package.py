"""A network as a Core ML package. Conversion runs anywhere; running the package takes a Mac or an iPhone."""

import io
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from archlab.convert.coreml.required import require_coremltools
from archlab.convert.graph import Graph, halves, trace
from archlab.convert.quiet import quiet
from archlab.errors import BadInput, RunFailed, nearest, reason
from archlab.files import atomic_folder

ATTENTION_FORMS = ("plain", "split_einsum", "split_einsum_v2")
_TORCH_TYPES = {"fp16": torch.float16, "fp32": torch.float32}
COREML_PRECISIONS = ("fp16", "fp32", "int8", "palette6", "palette4")


def to_coreml(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    path: str | Path,
    *,
    precision: str = "fp16",
    attention: str = "split_einsum",
    outputs: Mapping[str, str] | None = None,
) -> None:
    """Write an ``.mlpackage`` folder for inputs of these shapes, iOS 17 or later, whole or not at all.

    An older package at ``path`` is replaced. The module is neither changed nor copied.

    Args:
        inputs: by the names of ``module.forward``'s arguments; the package's inputs have the same names and types:
            float16, float32 or whole numbers. The module gets float32 for both of the first.
        precision: in which it computes, ``fp16`` (but for sinusoids) or ``fp32``; or of its weights, with which it
            computes in ``fp16``: ``int8``, ``palette6`` and ``palette4`` (64 or 16 values for each tensor).
        attention: ``plain``: tokens as [B, L, C]; ``split_einsum`` and ``split_einsum_v2``, made for the Neural Engine:
            see `archlab.convert.coreml.split_einsum`.
        outputs: their types, ``fp16`` or ``fp32``, by the names that they get, in the module's order. Absent:
            ``output``, several ``output_0``, ``output_1`` …, in the precision that it computes in.

    Raises:
        BadInput: there is no such precision or form of attention; ``path`` does not end in ``.mlpackage``, or is a
            file or some other folder.
        MissingExtra: coremltools is not installed.
        RunFailed: the network has an operation without a form, or coremltools gave up; the message has the reason.
    """
    _check(Path(path), precision, attention)
    require_coremltools("converting to Core ML")
    graph = _traced(module, inputs)
    _write(graph, Path(path), precision, attention, _types(inputs), outputs or _numbered(graph, precision))


def to_coreml_chunks(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    paths: tuple[Path, Path],
    *,
    precision: str = "fp16",
    attention: str = "split_einsum",
    outputs: Mapping[str, str] | None = None,
) -> None:
    """Write two packages, each with about half of the weights: what runs one after the other, as phones need it.

    The second takes the outputs of the first, ``hidden_0``, ``hidden_1`` …, and of ``inputs`` those that it needs.
    Arguments and errors are those of `to_coreml`.
    """
    for path in paths:
        _check(path, precision, attention)
    require_coremltools("converting to Core ML")
    graph = _traced(module, inputs)
    first, second, names = halves(graph)
    computed = _computed(precision)
    handed_over = dict.fromkeys(names, computed)
    types = _types(inputs) | dict.fromkeys(names, _TORCH_TYPES[computed])
    _write(first, paths[0], precision, attention, types, handed_over)
    _write(second, paths[1], precision, attention, types, outputs or _numbered(graph, precision))


def _check(path: Path, precision: str, attention: str) -> None:
    if precision not in COREML_PRECISIONS:
        raise BadInput(f"precision: Core ML has no {precision!r}{nearest(precision, COREML_PRECISIONS)}")
    if path.suffix != ".mlpackage":
        raise BadInput(f"{path}: a Core ML package's name ends in .mlpackage")
    if path.exists() and not (path / "Manifest.json").is_file():
        raise BadInput(f"{path}: exists and is not a Core ML package; name another path")
    if attention not in ATTENTION_FORMS:
        raise BadInput(f"attention: there is no {attention!r}{nearest(attention, ATTENTION_FORMS)}")


def _traced(module: nn.Module, inputs: Mapping[str, Tensor]) -> Graph:
    with quiet():
        return trace(module, inputs)


def _write(
    graph: Graph,
    path: Path,
    precision: str,
    attention: str,
    input_types: Mapping[str, torch.dtype],
    outputs: Mapping[str, str],
) -> None:
    import coremltools

    from archlab.convert.coreml.passes import compute_precision, pass_pipeline
    from archlab.convert.coreml.program import mil_program

    with quiet(), atomic_folder(path) as folder:
        try:
            with redirect_stderr(io.StringIO()):  # its progress bars
                package = coremltools.convert(
                    mil_program(graph, attention, input_types, outputs),
                    minimum_deployment_target=coremltools.target.iOS17,
                    compute_precision=compute_precision(_computed(precision)),
                    pass_pipeline=pass_pipeline(precision),
                    skip_model_load=True,
                )
            package.save(str(folder))
        except Exception as error:
            raise RunFailed(f"{path}: coremltools cannot write the network: {reason(error)}") from error


def _computed(precision: str) -> str:
    return "fp32" if precision == "fp32" else "fp16"


def _numbered(graph: Graph, precision: str) -> dict[str, str]:
    """The outputs' types by ``output``, or ``output_0``, ``output_1`` …."""
    one = len(graph.outputs) == 1
    return {
        "output" if one else f"output_{index}": _computed(precision) if value.dtype.is_floating_point else "int32"
        for index, value in enumerate(graph.outputs)
    }


def _types(inputs: Mapping[str, Tensor]) -> dict[str, torch.dtype]:
    """float16 and float32 as they are; other floating numbers as float32, whole ones as int32."""
    floating = {torch.float16: torch.float16}
    return {
        name: floating.get(x.dtype, torch.float32) if x.dtype.is_floating_point else torch.int32
        for name, x in inputs.items()
    }


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
    coremltools = require_coremltools("running Core ML packages")
    with quiet():
        model = coremltools.models.MLModel(str(path), compute_units=coremltools.ComputeUnit.CPU_ONLY)
        (output,) = model.predict({name: tensor.numpy() for name, tensor in inputs.items()}).values()
    return np.asarray(output, dtype=np.float32)
