"""Write a module as a TFLite file, and run one."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from archlab.convert.graph import Graph, split_chunked_linears, split_wide_convolutions, trace, without_sines
from archlab.convert.quiet import quiet
from archlab.convert.tflite.forms import FORMS
from archlab.convert.tflite.layout import plain
from archlab.convert.tflite.weights import PRECISIONS
from archlab.convert.tflite.writer import Stored, Writer
from archlab.errors import BadInput, nearest, require
from archlab.files import atomic_path

MOST_PRODUCTS = {"fp32": 5760, "fp16": 5760, "int8": 23040}  # of a sum: 3 × 3 × 640 in float32


def to_tflite(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    path: str | Path,
    *,
    precision: str = "fp32",
    polynomial_sines: bool = False,
    for_cpu: bool = True,
) -> None:
    """Write the network for inputs of these shapes, whole or not at all. The module is neither changed nor copied.

    The file's outputs are named ``output_0``, ``output_1`` ….

    Args:
        inputs: by the names of ``module.forward``'s arguments; the file's inputs have the same names.
        precision: ``fp16``: the weights of matrix products and convolutions are; ``int8``: they are, by channel, and
            the runtime quantises what they are multiplied with (dynamic). Inputs, outputs and sums stay float32.
        polynomial_sines: sinusoids are written without SIN and COS, which old runtimes lack.
        for_cpu: convolutions of many channels are written as sums of narrower ones, of which XNNPACK on an x86 computer
            runs those of 1,280 channels and more two to three times as fast.

    Raises:
        BadInput: TFLite has no such precision.
        MissingExtra: ai-edge-litert is not installed.
        RunFailed: an operation has no form on a device; the message names it and its module.
    """
    if precision not in PRECISIONS:
        raise BadInput(f"precision: TFLite has no {precision!r}{nearest(precision, PRECISIONS)}")
    graph = split_chunked_linears(trace(module, inputs))
    if for_cpu:
        graph = split_wide_convolutions(graph, MOST_PRODUCTS[precision])
    with atomic_path(Path(path)) as temporary:
        _write(without_sines(graph) if polynomial_sines else graph, precision, temporary)


def run_tflite(path: str | Path, inputs: Mapping[str, Tensor]) -> NDArray[np.float32]:
    """The output that the TFLite interpreter computes for these inputs."""
    (output,) = load_tflite(path)(inputs)
    return output.numpy()


def load_tflite(path: str | Path, threads: int = 1) -> Callable[[Mapping[str, Tensor]], tuple[Tensor, ...]]:
    """The file as a function from its inputs by name to its outputs in order, computed by the TFLite interpreter.

    Raises:
        MissingExtra: ai-edge-litert is not installed.
    """
    interpreter = require("ai_edge_litert.interpreter", "running TFLite files")
    with quiet():
        loaded = interpreter.Interpreter(str(path), num_threads=threads)
        loaded.allocate_tensors()  # where its delegate says hello
        run = loaded.get_signature_runner()

    def call(inputs: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        outputs = run(**{name: tensor.numpy() for name, tensor in inputs.items()})
        return tuple(torch.from_numpy(np.array(outputs[f"output_{number}"])) for number in range(len(outputs)))

    return call


def _write(graph: Graph, precision: str, path: Path) -> None:
    writer = Writer(precision)
    inputs = {}
    for name, value in graph.inputs.items():
        dtype = "float32" if value.dtype.is_floating_point else "int32"
        inputs[name] = writer.file.tensor(value.shape, dtype, name)
        writer.stored[value] = Stored(inputs[name], value.shape, plain(value.rank))
    for value in graph.values():
        if (made_by := value.operation) is not None:
            form = FORMS[made_by.operator]
            writer.stored[value] = form(writer, value, *made_by.inputs, **made_by.attributes)
    outputs = {f"output_{number}": writer.read(value, plain(value.rank)) for number, value in enumerate(graph.outputs)}
    writer.file.write(path, inputs, outputs)
