"""Means, softmax and norms, in operators that do not split XNNPACK's graph."""

from collections.abc import Sequence

import numpy as np

from archlab.convert.graph import Constant, Value
from archlab.convert.tflite.forms.form import Form, stored
from archlab.convert.tflite.layout import Order, Shape, lying, moved_last
from archlab.convert.tflite.writer import Stored, Writer, as_array


def softmax(w: Writer, tensor: int, shape: Shape) -> int:
    """Along the last place in memory."""
    return w.emit("SOFTMAX", [tensor], shape, options={"": "SoftmaxOptions", "beta": 1.0})


def _softmax(w: Writer, value: Value, x: Value, dim: int) -> Stored:
    order = _with_last(w, x, dim)
    return stored(value, softmax(w, w.read(x, order), lying(x.shape, order)), order)


def _reduction(operator: str) -> Form:
    def form(w: Writer, value: Value, x: Value, dims: Sequence[int]) -> Stored:
        order = w.find(x).order
        places = sorted(order.index(dim) for dim in dims)
        return stored(value, _reduced(w, operator, w.read(x, order), lying(x.shape, order), places), order)

    return form


def _group_norm(
    w: Writer, value: Value, x: Value, weight: Constant | None, bias: Constant | None, groups: int, eps: float
) -> Stored:
    """Statistics of each channel, then of its group, so that the feature map keeps its shape.

    x · factor + term, with factor and term for each channel: what is left to do on the map is one pass for the mean,
    two for the variance and two for the result.
    """
    order = _with_last(w, x, 1)
    tensor, shape = w.read(x, order), lying(x.shape, order)
    batch, channels = x.shape[:2]
    by_channel = (batch, *(1,) * (x.rank - 2), channels)
    by_group = (batch, 1, groups, channels // groups)
    positions = list(range(1, x.rank - 1))
    scale, shift = _affine(w, weight, bias, (1, 1, groups, channels // groups), channels)

    def of_groups(values: int) -> int:
        """Means over each group: [B, 1, G, 1] of channels' [B, …, C]."""
        return _reduced(w, "MEAN", w.reshaped(values, by_channel, by_group), by_group, [3])

    mean = of_groups(_reduced(w, "MEAN", tensor, shape, positions))
    ones = w.constant(np.ones((1, 1, 1, channels // groups), np.float32))
    channel_mean = w.reshaped(_two(w, "MUL", mean, ones, by_group), by_group, by_channel)
    squares = w.emit("SQUARED_DIFFERENCE", [tensor, channel_mean], shape, options={"": "SquaredDifferenceOptions"})
    variance = of_groups(_reduced(w, "MEAN", squares, shape, positions))
    inverse = _inverse_deviation(w, variance, (batch, 1, groups, 1), eps)
    factor = _two(w, "MUL", inverse, scale, by_group)
    term = _two(w, "SUB", shift, _two(w, "MUL", mean, factor, by_group), by_group)
    scaled = _two(w, "MUL", tensor, w.reshaped(factor, by_group, by_channel), shape)
    return stored(value, _two(w, "ADD", scaled, w.reshaped(term, by_group, by_channel), shape), order)


def _layer_norm(
    w: Writer, value: Value, x: Value, weight: Constant | None, bias: Constant | None, eps: float
) -> Stored:
    order = _with_last(w, x, x.rank - 1)
    shape = lying(x.shape, order)
    row, tensor = (*shape[:-1], 1), w.read(x, order)
    scale, shift = _affine(w, weight, bias, shape[-1:], shape[-1])
    centred = _two(w, "SUB", tensor, _reduced(w, "MEAN", tensor, shape, [x.rank - 1]), shape)
    squares = w.emit("SQUARE", [centred], shape)
    inverse = _inverse_deviation(w, _reduced(w, "MEAN", squares, shape, [x.rank - 1]), row, eps)
    scaled = _two(w, "MUL", _two(w, "MUL", centred, inverse, shape), scale, shape)
    return stored(value, _two(w, "ADD", scaled, shift, shape), order)


def _affine(w: Writer, weight: Constant | None, bias: Constant | None, shape: Shape, channels: int) -> tuple[int, int]:
    """Scale and shift; ones and zeros, too, where a network has none or is not trained yet."""
    arrays = (np.full(channels, fill, np.float32) for fill in (1, 0))
    given = (
        array if parameter is None else as_array(parameter.tensor)
        for array, parameter in zip(arrays, (weight, bias), strict=True)
    )
    scale, shift = (w.constant(array.reshape(shape)) for array in given)
    return scale, shift


def _inverse_deviation(w: Writer, variance: int, shape: Shape, eps: float) -> int:
    return w.emit("RSQRT", [_two(w, "ADD", variance, w.numbers(eps), shape)], shape)


def _with_last(w: Writer, x: Value, dim: int) -> Order:
    """The order in which it lies, if that has ``dim`` in the last place; else with ``dim`` moved there."""
    order = w.find(x).order
    return order if order[-1] == dim else moved_last(order, dim)


def _reduced(w: Writer, operator: str, tensor: int, shape: Shape, places: Sequence[int]) -> int:
    kept = tuple(1 if place in places else n for place, n in enumerate(shape))
    options = {"": "ReducerOptions", "keepDims": True}
    return w.emit(operator, [tensor, w.integers(places)], kept, options=options)


def _two(w: Writer, operator: str, a: int, b: int, shape: Shape) -> int:
    return w.emit(operator, [a, b], shape, options={"": f"{operator.capitalize()}Options"})


FORMS: dict[str, Form] = {
    "softmax": _softmax,
    "mean": _reduction("MEAN"),
    "sum": _reduction("SUM"),
    "group_norm": _group_norm,
    "layer_norm": _layer_norm,
}
