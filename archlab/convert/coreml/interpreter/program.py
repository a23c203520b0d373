"""The program of a Core ML package, run operator by operator."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from archlab.convert.coreml.interpreter.operations import DTYPES, OPERATIONS
from archlab.convert.quiet import quiet
from archlab.errors import require


class CoreMLProgram:
    """What a package computes, by torch on the CPU: its own program with its own weights, decompressed.

    Each operator computes in float32; where the package says float16, its result is rounded to that. Core ML itself
    may round within an operator too; on a Mac `run_coreml` asks it.

    Attributes:
        operations: how many of each kind it has.

    Args:
        path: of an ``.mlpackage`` that `to_coreml` wrote.

    Raises:
        MissingExtra: coremltools is not installed.
    """

    def __init__(self, path: str | Path) -> None:
        coremltools = require("coremltools", "reading a Core ML package", "coreml")
        from coremltools.converters.mil.frontend.milproto.load import load

        with quiet():
            model = coremltools.models.MLModel(str(path), skip_model_load=True)
            spec = model.get_spec()
            function = load(spec, spec.specificationVersion, model.weights_dir).functions["main"]
        self.operations = Counter(operation.op_type for operation in function.operations)
        self._inputs = function.inputs
        self._outputs = [output.name for output in function.outputs]
        self._constants: dict[str, Any] = {}
        self._steps: list[Any] = []
        for operation in function.operations:
            if operation.op_type.startswith("const"):
                (output,) = operation.outputs
                self._constants[output.name] = _constant(
                    output.val if operation.op_type == "const" else operation.materialized_val_inference()
                )
            else:
                self._steps.append(operation)
        self._last_use = {
            name: index for index, step in enumerate(self._steps) for name in _names(step) if name not in self._outputs
        }

    def __call__(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The outputs by name.

        Args:
            inputs: by name; cast to the types that the package takes, as Core ML does. Others than its own are
                left aside.
        """
        known: dict[str, Any] = {name: _typed(inputs[name], variable) for name, variable in self._inputs.items()}
        with torch.inference_mode():
            for index, step in enumerate(self._steps):
                known.update(self._results(step, known))
                for name in _names(step):
                    if self._last_use.get(name) == index:
                        known.pop(name, None)
        return {name: known[name] for name in self._outputs}

    @property
    def weights(self) -> dict[str, Tensor]:
        """Its constants that are tensors of floating numbers, decompressed, by name."""
        return {name: value for name, value in self._constants.items() if isinstance(value, Tensor)}

    def _results(self, step: Any, known: Mapping[str, Any]) -> dict[str, Any]:
        def value_of(source: Any) -> Any:
            if isinstance(source, list | tuple):
                return [value_of(item) for item in source]
            return known[source.name] if source.name in known else self._constants[source.name]

        given = {name: value_of(source) for name, source in step.inputs.items() if source is not None}
        function = OPERATIONS[step.op_type]
        made = function(given["x"]) if list(given) == ["x"] else function(**given)  # torch's own know no MIL names
        results = made if isinstance(made, tuple) else (made,)
        return {variable.name: _typed(result, variable) for variable, result in zip(step.outputs, results, strict=True)}


def _names(step: Any) -> list[str]:
    """Of the variables that it takes."""
    sources = (source for source in step.inputs.values() if source is not None)
    return [x.name for source in sources for x in (source if isinstance(source, list | tuple) else (source,))]


def _typed(result: Tensor, variable: Any) -> Tensor:
    """In the type that the program declares; float16 as such numbers in float32, in which torch is fast."""
    from coremltools.converters.mil.mil import types

    if tuple(result.shape) != tuple(variable.shape):
        raise ValueError(f"{variable.name} has shape {tuple(result.shape)} and not {tuple(variable.shape)}")
    name = types.builtin_to_string(variable.dtype)
    return result.half().float() if name == "fp16" else result.to(DTYPES[name])


def _constant(value: Any) -> Any:
    """Weights as tensors of float32; whole numbers, words and flags as Python has them."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return torch.from_numpy(value.astype(np.float32))
    if isinstance(value, np.ndarray | np.generic):
        return value.item() if value.dtype.kind == "f" else value.tolist()
    return value
