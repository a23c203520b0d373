"""A TFLite file in the making: tensors, operators and constants by the schema that ships with ai-edge-litert."""

import struct
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from archlab.errors import require

_INSIDE_MB = 64  # of constants; more lie behind the flatbuffer, which cannot hold 2 GB and is slow to fill
_ALIGNMENT = 64
_IDENTIFIER = b"TFL3"
_OFFSET_FIELD, _SIZE_FIELD = 6, 8  # of the schema's table Buffer

Array = NDArray[Any]


class ModelFile:
    """Collects one graph, then writes it. Tensors are named by their numbers, as operators refer to them.

    Constants may be views: each is copied, in the order of its elements, as it is written.
    """

    def __init__(self) -> None:
        self._schema = require("ai_edge_litert.schema_py_generated", "writing TFLite files")
        self._tensors: list[Any] = []
        self._operators: list[Any] = []
        self._codes: dict[tuple[str, int], int] = {}
        self._constants: list[Array] = []
        self._known: dict[tuple[Any, ...], int] = {}

    @cached_property
    def _types(self) -> dict[np.dtype[Any], int]:
        names = ("float32", "float16", "int32", "int8")
        return {np.dtype(name): getattr(self._schema.TensorType, name.upper()) for name in names}

    def tensor(self, shape: Sequence[int], dtype: str = "float32", name: str = "") -> int:
        """One that is computed, or an input."""
        return self._add(shape, np.dtype(dtype), 0, name)

    def type_of(self, tensor: int) -> str:
        """The name of its numbers' type."""
        return next(dtype.name for dtype, number in self._types.items() if number == self._tensors[tensor].type)

    def constant(self, array: Array, scales: Array | None = None) -> int:
        """One that the file holds; equal ones are held once.

        Args:
            scales: by which an int8 array is multiplied, one for each of its first dimension.
        """
        key = identity(array)
        if key not in self._known:
            self._constants.append(array)
            index = self._add(array.shape, array.dtype, len(self._constants), "")
            if scales is not None:
                quantization = self._schema.QuantizationParametersT()
                quantization.scale = scales.astype(np.float32)
                quantization.zeroPoint = np.zeros(len(scales), np.int64)
                self._tensors[index].quantization = quantization
            self._known[key] = index
        return self._known[key]

    def operator(
        self, name: str, inputs: Sequence[int], outputs: Sequence[int], version: int, options: Mapping[str, Any] | None
    ) -> None:
        """One of TFLite's operators, its inputs first.

        Args:
            name: of the schema's ``BuiltinOperator``.
            options: fields of its options; None for one without. ``""`` names their table.
        """
        made = self._schema.OperatorT()
        made.opcodeIndex = self._codes.setdefault((name, version), len(self._codes))
        made.inputs, made.outputs = list(inputs), list(outputs)
        if options is not None:
            table = options[""]
            made.builtinOptionsType = getattr(self._schema.BuiltinOptions, table)
            made.builtinOptions = getattr(self._schema, f"{table}T")()
            for field, value in options.items():
                if field:
                    setattr(made.builtinOptions, field, value)
        self._operators.append(made)

    def enum(self, kind: str, name: str) -> int:
        """A value of one of the schema's enumerations."""
        value: int = getattr(getattr(self._schema, kind), name)
        return value

    def write(self, path: Path, inputs: Mapping[str, int], outputs: Mapping[str, int]) -> None:
        """The file, with one signature ``serving_default`` of these names."""
        outside = sum(array.nbytes for array in self._constants) > _INSIDE_MB * 1e6
        packed = self._packed(self._model(inputs, outputs, outside))
        with path.open("wb") as file:
            if outside:
                self._write_outside(file, packed)
            else:
                file.write(packed)

    def _add(self, shape: Sequence[int], dtype: np.dtype[Any], buffer: int, name: str) -> int:
        made = self._schema.TensorT()
        made.shape, made.type, made.buffer, made.name = list(shape), self._types[dtype], buffer, name
        made.hasRank = True
        self._tensors.append(made)
        return len(self._tensors) - 1

    def _model(self, inputs: Mapping[str, int], outputs: Mapping[str, int], outside: bool) -> Any:
        schema = self._schema
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self._tensors, self._operators
        graph.inputs, graph.outputs, graph.name = list(inputs.values()), list(outputs.values()), "main"
        signature = schema.SignatureDefT()
        signature.signatureKey = "serving_default"
        signature.inputs, signature.outputs = self._named(inputs), self._named(outputs)
        model = schema.ModelT()
        model.version, model.description = 3, "archlab"
        model.operatorCodes = [self._code(*code) for code in self._codes]
        model.subgraphs, model.signatureDefs = [graph], [signature]
        model.buffers = [schema.BufferT(), *(self._buffer(array, outside) for array in self._constants)]
        return model

    def _buffer(self, array: Array, outside: bool) -> Any:
        buffer = self._schema.BufferT()
        if outside:
            buffer.offset = buffer.size = 2  # anything but the default, which would leave no room; see _write_outside
        else:
            buffer.data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        return buffer

    def _named(self, tensors: Mapping[str, int]) -> list[Any]:
        entries = []
        for name, index in tensors.items():
            entry = self._schema.TensorMapT()
            entry.name, entry.tensorIndex = name, index
            entries.append(entry)
        return entries

    def _code(self, name: str, version: int) -> Any:
        code = self._schema.OperatorCodeT()
        code.builtinCode = self.enum("BuiltinOperator", name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = version
        return code

    def _packed(self, model: Any) -> bytearray:
        builder = require("flatbuffers", "writing TFLite files").Builder(2**20)
        builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
        return bytearray(builder.Output())

    def _write_outside(self, file: BinaryIO, packed: bytearray) -> None:
        """The flatbuffer with every constant's place and size, then the constants."""
        model = self._schema.Model.GetRootAs(packed, 0)
        end, places = len(packed), []
        for number, array in enumerate(self._constants, start=1):
            place = -(-end // _ALIGNMENT) * _ALIGNMENT
            places.append(place)
            end = place + array.nbytes
            table = model.Buffers(number)._tab
            for field, value in ((_OFFSET_FIELD, place), (_SIZE_FIELD, array.nbytes)):
                struct.pack_into("<Q", packed, table.Pos + table.Offset(field), value)
        file.write(packed)
        for place, array in zip(places, self._constants, strict=True):
            file.seek(place)
            file.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def identity(array: Array) -> tuple[Any, ...]:
    """What is equal for views of the same memory, and for small arrays of equal numbers."""
    if array.nbytes <= _ALIGNMENT:
        return (array.dtype.str, array.shape, array.tobytes())
    return (array.dtype.str, array.shape, array.strides, array.__array_interface__["data"][0])
