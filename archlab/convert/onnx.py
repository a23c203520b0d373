"""A network as an ONNX file, by torch's own exporter, and ONNX Runtime to run it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from archlab.convert.graph import evaluating
from archlab.convert.quiet import quiet
from archlab.errors import RunFailed, reason, require

_MOST_IN_ONE_FILE = 1_500_000_000  # bytes; protobuf ends at 2 GiB


def check_onnx() -> None:
    """Whether ONNX files can be written and run here.

    Raises:
        MissingExtra: a package is not installed.
    """
    with quiet():
        for package in ("onnx", "onnxscript", "onnxruntime"):
            require(package, "writing ONNX files", "onnx")


def to_onnx(
    module: nn.Module, inputs: Mapping[str, Tensor], path: Path, *, names: Mapping[str, str], output: str
) -> list[Path]:
    """Write the network for any batch; its weights beside it in ``.data`` where one file cannot hold them.

    Args:
        inputs: by the names of ``module.forward``'s arguments, a batch of one.
        names: the file's own, by the arguments'; an input that is absent keeps its own.
        output: the name of what it gives.

    Returns:
        The files.

    Raises:
        MissingExtra: a package is not installed.
        RunFailed: torch's exporter gave up, or could not leave the batch open.
    """
    check_onnx()
    twice = {name: torch.cat([tensor, tensor]) for name, tensor in inputs.items()}  # 1 would be taken for constant
    batch = torch.export.Dim("batch")
    with quiet(), evaluating(module), torch.no_grad():
        try:
            program: Any = torch.onnx.export(
                module,
                (),
                kwargs=twice,
                dynamo=True,
                dynamic_shapes={name: {0: batch} for name in twice},
                input_names=[names.get(name, name) for name in twice],
                output_names=[output],
                verbose=False,
            )
        except Exception as error:
            raise RunFailed(f"{path}: torch cannot write the network as ONNX: {reason(error)}") from error
        if any(isinstance(value.shape[0], int) for value in program.model.graph.inputs):
            raise RunFailed(f"{path}: torch takes the batch for a constant: something in the network reads its size")
        external = sum(weight.numel() * weight.element_size() for weight in module.parameters()) > _MOST_IN_ONE_FILE
        program.save(str(path), external_data=external)
    return [path, *([path.with_name(f"{path.name}.data")] if external else [])]


def load_onnx(path: Path, threads: int = 1) -> Callable[[Mapping[str, Tensor]], Tensor]:
    """The file in ONNX Runtime on the CPU: from inputs by the file's names, for any batch, to its output.

    Raises:
        MissingExtra: ONNX Runtime is not installed.
    """
    onnxruntime = require("onnxruntime", "running ONNX files", "onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def call(inputs: Mapping[str, Tensor]) -> Tensor:
        (output,) = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})
        return torch.from_numpy(output)

    return call
