"""The program of a Core ML package, run operator by operator."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from archlab.convert.coreml.interpreter.operations import DTYPES, OPERATIONS
from archlab.convert.coreml.required import require_coremltools
from archlab.convert.quiet import quiet

Description = tuple[str, tuple[int, ...]]  # type and shape


class CoreMLProgram:
    """What a package computes, by torch on the CPU: its own program with its own weights, decompressed.

    Each operator computes in float32; where the package says float16, its result is rounded to that. Core ML itself
    may round within an operator too; on a Mac `run_coreml` asks it.

    Attributes:
        operations: how many of each kind it has.
        inputs, outputs: type and shape by name.

    Args:
        path: of an ``.mlpackage`` that `to_coreml` wrote.

    Raises:
        MissingExtra: coremltools is not installed.
    """

    def __init__(self, path: str | Path) -> None:
        function = _function(path)
        self.operations = Counter(operation.op_type for operation in function.operations)
        self.inputs = {name: _description(variable) for name, variable in function.inputs.items()}
        self.outputs = {variable.name: _description(variable) for variable in function.outputs}
        self._constants: dict[str, Any] = {}
        self._steps: list[_Step] = []
        for operation in function.operations:
            if operation.op_type.startswith("const"):
                (output,) = operation.outputs
                is_plain = operation.op_type == "const"
                value = output.val if is_plain else operation.materialized_val_inference()  # decompressed
                self._constants[output.name] = _constant(value)
            else:
                self._steps.append(_step(operation))
        self._last_use = {name: index for index, step in enumerate(self._steps) for name in step.names}

    def __call__(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The outputs by name.

        Args:
            inputs: by name; cast to the types that the package takes, as Core ML does. Others than its own are
                left aside.
        """
        known: dict[str, Any] = {name: _typed(name, inputs[name], wanted) for name, wanted in self.inputs.items()}
        with torch.inference_mode():
            for index, step in enumerate(self._steps):
                known.update(step.run({name: self._constants.get(name, known.get(name)) for name in step.names}))
                for name in step.names:
                    if self._last_use[name] == index and name not in self.outputs:
                        known.pop(name, None)
        return {name: known[name] for name in self.outputs}

    @property
    def weights(self) -> dict[str, Tensor]:
        """Its constants that are tensors of floating numbers, decompressed, by name."""
        return {name: value for name, value in self._constants.items() if isinstance(value, Tensor)}


@dataclass(frozen=True)
class _Step:
    """One operator: its arguments, each the name of a variable or several, and what it makes."""

    function: Callable[..., Any]
    arguments: Mapping[str, str | list[str]]
    results: Mapping[str, Description]

    @property
    def names(self) -> list[str]:
        """Of the variables that it takes."""
        sources = self.arguments.values()
        return [name for source in sources for name in (source if isinstance(source, list) else [source])]

    def run(self, known: Mapping[str, Any]) -> dict[str, Any]:
        given = {
            argument: [known[name] for name in source] if isinstance(source, list) else known[source]
            for argument, source in self.arguments.items()
        }
        made = (
            self.function(given["x"]) if list(given) == ["x"] else self.function(**given)
        )  # torch's know no MIL names
        results = made if isinstance(made, tuple) else (made,)
        pairs = zip(self.results.items(), results, strict=True)
        return {name: _typed(name, result, declared) for (name, declared), result in pairs}


def _function(path: str | Path) -> Any:
    coremltools = require_coremltools("reading a Core ML package")
    from coremltools.converters.mil.frontend.milproto.load import load

    with quiet():
        model = coremltools.models.MLModel(str(path), skip_model_load=True)
        spec = model.get_spec()
        return load(spec, spec.specificationVersion, model.weights_dir).functions["main"]


def _step(operation: Any) -> _Step:
    sources = {name: source for name, source in operation.inputs.items() if source is not None}
    return _Step(
        OPERATIONS[operation.op_type],
        {
            name: [item.name for item in source] if isinstance(source, list | tuple) else source.name
            for name, source in sources.items()
        },
        {variable.name: _description(variable) for variable in operation.outputs},
    )


def _description(variable: Any) -> Description:
    from coremltools.converters.mil.mil import types

    return str(types.builtin_to_string(variable.dtype)).replace("fp", "float"), tuple(variable.shape)


def _typed(name: str, value: Tensor, declared: Description) -> Tensor:
    """In the type that the program declares; float16 as such numbers in float32, in which torch is fast."""
    dtype, shape = declared
    if tuple(value.shape) != shape:
        raise ValueError(f"{name} has shape {tuple(value.shape)} and not {shape}")
    return value.half().float() if dtype == "float16" else value.to(DTYPES[dtype])


def _constant(value: Any) -> Any:
    """Weights as tensors of float32; whole numbers, words and flags as Python has them."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return torch.from_numpy(value.astype(np.float32))
    if isinstance(value, np.ndarray | np.generic):
        return value.item() if value.dtype.kind == "f" else value.tolist()
    return value
