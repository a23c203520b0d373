"""What a form is."""

from collections.abc import Callable

from archlab.convert.graph import Value
from archlab.convert.tflite.layout import Order, lying
from archlab.convert.tflite.writer import Stored

Form = Callable[..., Stored]
"""``form(writer, value, *inputs, **attributes)`` writes the operation that makes ``value`` from ``inputs``, values too,
by the attributes of the graph's operator."""


def stored(value: Value, tensor: int, order: Order) -> Stored:
    """The value in a tensor that has its dimensions in this order."""
    return Stored(tensor, lying(value.shape, order), order)
