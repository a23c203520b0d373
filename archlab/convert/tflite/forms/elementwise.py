"""Operators that take each element by itself."""

from math import prod
from typing import Any

import torch

from archlab.convert.graph import Constant, Value
from archlab.convert.tflite.forms.form import Form, stored
from archlab.convert.tflite.layout import Order, plain
from archlab.convert.tflite.writer import Stored, Writer


def _of_one(operator: str) -> Form:
    def form(w: Writer, value: Value, x: Value) -> Stored:
        found = w.find(x)
        return Stored(w.emit(operator, [found.tensor], found.shape), found.shape, found.order)

    return form


def _of_two(operator: str, table: str = "") -> Form:
    def form(w: Writer, value: Value, a: Value, b: Value) -> Stored:
        order = _common_order(w, value, a, b)
        inputs = [w.broadcast(x, order) for x in (a, b)]
        shape = tuple(value.shape[dim] for dim in order)
        return stored(value, w.emit(operator, inputs, shape, options={"": table} if table else None), order)

    return form


def _common_order(w: Writer, value: Value, *inputs: Value) -> Order:
    """The order of the largest input that is computed, where it has all dimensions."""
    leading = [x for x in inputs if x.rank == value.rank and not isinstance(x, Constant)]
    return w.find(max(leading, key=lambda x: prod(x.shape))).order if leading else plain(value.rank)


def _gelu(w: Writer, value: Value, x: Value, approximate: str) -> Stored:
    found = w.find(x)
    options = {"": "GeluOptions", "approximate": approximate == "tanh"}
    return Stored(w.emit("GELU", [found.tensor], found.shape, options=options), found.shape, found.order)


def _silu(w: Writer, value: Value, x: Value) -> Stored:
    found = w.find(x)
    gate = w.emit("LOGISTIC", [found.tensor], found.shape)
    return Stored(w.emit("MUL", [found.tensor, gate], found.shape), found.shape, found.order)


def _mish(w: Writer, value: Value, x: Value) -> Stored:
    """x · tanh(ln(1 + eˣ)), as x · n / (n + 2) with n = eˣ(eˣ + 2); above 20 the factor is 1 in float32."""
    found = w.find(x)

    def then(operator: str, *inputs: int) -> int:
        return w.emit(operator, inputs, found.shape)

    two = w.numbers(2.0)
    power = then("EXP", then("MINIMUM", found.tensor, w.numbers(20.0)))
    numerator = then("MUL", power, then("ADD", power, two))
    factor = then("DIV", numerator, then("ADD", numerator, two))
    return Stored(then("MUL", found.tensor, factor), found.shape, found.order)


def _cast(w: Writer, value: Value, x: Value, dtype: torch.dtype) -> Stored:
    found = w.find(x)
    named = {True: "float32", False: "int32"}
    options: dict[str, Any] = {"": "CastOptions"}
    for field, kind in (("inDataType", x.dtype), ("outDataType", dtype)):
        options[field] = w.file.enum("TensorType", named[kind.is_floating_point].upper())
    tensor = w.emit("CAST", [found.tensor], found.shape, dtype=named[dtype.is_floating_point], options=options)
    return Stored(tensor, found.shape, found.order)


FORMS: dict[str, Form] = {
    "negate": _of_one("NEG"),
    "abs": _of_one("ABS"),
    "exp": _of_one("EXP"),
    "log": _of_one("LOG"),
    "sqrt": _of_one("SQRT"),
    "rsqrt": _of_one("RSQRT"),
    "square": _of_one("SQUARE"),
    "floor": _of_one("FLOOR"),
    "sin": _of_one("SIN"),
    "cos": _of_one("COS"),
    "tanh": _of_one("TANH"),
    "sigmoid": _of_one("LOGISTIC"),
    "relu": _of_one("RELU"),
    "gelu": _gelu,
    "silu": _silu,
    "hardswish": _of_one("HARD_SWISH"),
    "mish": _mish,
    "elu": _of_one("ELU"),
    "cast": _cast,
    "add": _of_two("ADD", "AddOptions"),
    "subtract": _of_two("SUB", "SubOptions"),
    "multiply": _of_two("MUL", "MulOptions"),
    "divide": _of_two("DIV", "DivOptions"),
    "maximum": _of_two("MAXIMUM"),
    "minimum": _of_two("MINIMUM"),
}
