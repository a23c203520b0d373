"""Weights of products as a file holds them: in float32, halved, or in eight bits."""

from collections.abc import Callable

import numpy as np

from archlab.convert.tflite.model import Array, identity
from archlab.convert.tflite.writer import Writer

PRECISIONS = ("fp32", "fp16", "int8")


def product_weight(writer: Writer, weight: Array) -> int:
    """The constant of a matrix product or convolution, output channels first, in the writer's precision."""
    return writer.once(("weight", identity(weight)), lambda: _FORMS[writer.precision](writer, weight))


def _float32(writer: Writer, weight: Array) -> int:
    return writer.constant(weight)


def _float16(writer: Writer, weight: Array) -> int:
    """Halved in the file; the runtime computes in float32."""
    return writer.emit("DEQUANTIZE", [writer.constant(weight.astype(np.float16))], weight.shape, version=3)


def _int8(writer: Writer, weight: Array) -> int:
    """Rounded to ±127 steps, by output channel; the runtime quantises what they are multiplied with (dynamic)."""
    largest = np.abs(weight).max(axis=tuple(range(1, weight.ndim)), keepdims=True)
    scales = np.where(largest > 0, largest, 1.0) / 127
    rounded = np.clip(np.rint(weight / scales), -127, 127).astype(np.int8)
    return writer.file.constant(rounded, scales.reshape(-1))


_FORMS: dict[str, Callable[[Writer, Array], int]] = {"fp32": _float32, "fp16": _float16, "int8": _int8}
