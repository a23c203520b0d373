"""Operators of order and shape. Most of them write nothing: they only change what is known of a tensor."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from archlab.convert.graph import Constant, Value
from archlab.convert.tflite.forms.form import Form, stored
from archlab.convert.tflite.layout import Order, Shape, lying, permuted, plain, reshaped
from archlab.convert.tflite.model import Array
from archlab.convert.tflite.weights import product_weight
from archlab.convert.tflite.writer import Stored, Writer, as_array

_CHANNELS_LAST = (0, 2, 3, 1)
_CONCATENATED_AT_ONCE = 4  # XNNPACK refuses six


def concatenated(w: Writer, tensors: Sequence[int], shapes: Sequence[Shape], place: int) -> int:
    """Tensors one after the other along a place in memory."""
    while len(tensors) > 1:
        groups = range(0, len(tensors), _CONCATENATED_AT_ONCE)
        joined = [
            _joined(w, tensors[at : at + _CONCATENATED_AT_ONCE], shapes[at : at + _CONCATENATED_AT_ONCE], place)
            for at in groups
        ]
        tensors, shapes = [tensor for tensor, _ in joined], [shape for _, shape in joined]
    return tensors[0]


def _joined(w: Writer, tensors: Sequence[int], shapes: Sequence[Shape], place: int) -> tuple[int, Shape]:
    if len(tensors) == 1:
        return tensors[0], shapes[0]
    shape = (*shapes[0][:place], sum(shape[place] for shape in shapes), *shapes[0][place + 1 :])
    dtype = w.file.type_of(tensors[0])
    options = {"": "ConcatenationOptions", "axis": place}
    return w.emit("CONCATENATION", tensors, shape, dtype=dtype, options=options), shape


def _reshape(w: Writer, value: Value, x: Value, shape: Shape) -> Stored:
    found = w.find(x)
    order = reshaped(x.shape, found.order, shape)
    if order is not None:
        return Stored(found.tensor, found.shape, order)
    return Stored(w.read(x, plain(x.rank)), x.shape, plain(value.rank))


def _permute(w: Writer, value: Value, x: Value, dims: Sequence[int]) -> Stored:
    found = w.find(x)
    return Stored(found.tensor, found.shape, permuted(found.order, dims))


def _expand(w: Writer, value: Value, x: Value, shape: Shape) -> Stored:
    """A product with ones: XNNPACK takes no BROADCAST_TO and no TILE."""
    order = w.find(x).order
    ones = [own if own != old else 1 for own, old in zip(value.shape, x.shape, strict=True)]
    factor = w.constant(np.ones(lying(tuple(ones), order), np.float32))
    inputs = [w.read(x, order), factor]
    return stored(value, w.emit("MUL", inputs, lying(value.shape, order), options={"": "MulOptions"}), order)


def _concatenate(w: Writer, value: Value, *xs: Value, dim: int) -> Stored:
    order = w.find(max(xs, key=lambda x: x.operation is not None)).order
    tensors = [w.read(x, order) for x in xs]
    shapes = [lying(x.shape, order) for x in xs]
    return stored(value, concatenated(w, tensors, shapes, order.index(dim)), order)


def _slice(w: Writer, value: Value, x: Value, dim: int, start: int, length: int, step: int) -> Stored:
    order = w.find(x).order
    place, shape = order.index(dim), lying(value.shape, order)
    begin, strides = [0] * x.rank, [1] * x.rank
    begin[place], strides[place] = start, step
    tensor = w.read(x, order)
    dtype = w.file.type_of(tensor)
    if step == 1:
        sliced = w.emit(
            "SLICE", [tensor, w.integers(begin), w.integers(shape)], shape, dtype=dtype, options={"": "SliceOptions"}
        )
    else:
        ends = [first + (n - 1) * every + 1 for first, n, every in zip(begin, shape, strides, strict=True)]
        bounds = [w.integers(numbers) for numbers in (begin, ends, strides)]
        sliced = w.emit("STRIDED_SLICE", [tensor, *bounds], shape, dtype=dtype, options={"": "StridedSliceOptions"})
    return stored(value, sliced, order)


def _pad(w: Writer, value: Value, x: Value, before: Shape, after: Shape) -> Stored:
    order = w.find(x).order
    return stored(value, padded(w, w.read(x, order), x.shape, before, after, order), order)


def padded(w: Writer, tensor: int, shape: Shape, before: Shape, after: Shape, order: Order) -> int:
    """Zeros around a tensor whose dimensions have this order."""
    amounts = np.array([(before[dim], after[dim]) for dim in order], np.int32)
    new = tuple(before[dim] + shape[dim] + after[dim] for dim in order)
    return w.emit("PAD", [tensor, w.constant(amounts)], new, options={"": "PadOptions"})


def _upsample(w: Writer, value: Value, x: Value, scale: int) -> Stored:
    """Every pixel, then every row, concatenated with itself: XNNPACK takes no RESIZE_NEAREST_NEIGHBOR."""
    batch, channels, height, width = x.shape
    pixels, rows = (batch, height, width, channels), (batch, height, 1, scale * width * channels)
    tensor = w.read(x, _CHANNELS_LAST)
    wide = concatenated(w, [tensor] * scale, [pixels] * scale, 3)
    row = w.reshaped(wide, (batch, height, width, scale * channels), rows)
    tall = concatenated(w, [row] * scale, [rows] * scale, 2)
    shape = lying(value.shape, _CHANNELS_LAST)
    return stored(value, w.reshaped(tall, (batch, height, scale, scale * width * channels), shape), _CHANNELS_LAST)


def _embedding(w: Writer, value: Value, indices: Value, weight: Constant) -> Stored:
    """The table is in the file's precision, what is taken of it in float32. Known rows are taken at once."""
    table, order = as_array(weight.tensor), plain(value.rank)
    if isinstance(indices, Constant):
        return stored(value, w.constant(table[as_array(indices.tensor)]), order)
    return stored(value, _TAKEN[w.precision](w, table, w.read(indices, plain(indices.rank)), indices.shape), order)


def _taken(w: Writer, table: Array, indices: int, shape: Shape) -> int:
    return w.emit("GATHER", [w.constant(table), indices], (*shape, table.shape[1]), options={"": "GatherOptions"})


def _taken_of_halves(w: Writer, table: Array, indices: int, shape: Shape) -> int:
    halves, shape_taken = w.constant(table.astype(np.float16)), (*shape, table.shape[1])
    rows = w.emit("GATHER", [halves, indices], shape_taken, dtype="float16", options={"": "GatherOptions"})
    return w.emit("DEQUANTIZE", [rows], shape_taken, version=3)


def _taken_of_bytes(w: Writer, table: Array, indices: int, shape: Shape) -> int:
    """GATHER knows one scale alone, this operator one for each row."""
    count = math.prod(shape)
    flat = w.reshaped(indices, shape, (count,))
    rows = w.emit("EMBEDDING_LOOKUP", [flat, product_weight(w, table)], (count, table.shape[1]), version=4)
    return w.reshaped(rows, (count, table.shape[1]), (*shape, table.shape[1]))


_TAKEN: dict[str, Callable[[Writer, Array, int, Shape], int]] = {
    "fp32": _taken,
    "fp16": _taken_of_halves,
    "int8": _taken_of_bytes,
}


FORMS: dict[str, Form] = {
    "reshape": _reshape,
    "permute": _permute,
    "expand": _expand,
    "concatenate": _concatenate,
    "slice": _slice,
    "pad": _pad,
    "upsample": _upsample,
    "embedding": _embedding,
}
