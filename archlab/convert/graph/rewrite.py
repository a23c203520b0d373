"""A graph in another form that computes the same."""

import math
from collections.abc import Callable
from dataclasses import replace

from archlab.convert.graph.graph import Constant, Graph, Operation, Value
from archlab.convert.graph.sines import sine_and_cosine
from archlab.convert.graph.symbol import Symbol, standing_in, symbol


def rewritten(graph: Graph, change: Callable[[Value, Operation], Value | None]) -> Graph:
    """The graph with some values made otherwise.

    Args:
        change: given a value and the operation that makes it, in the original, another way to make it from values of
            the original; None leaves it.
    """
    made: dict[Value, Value] = {}

    def remade(value: Value) -> Value:
        if value not in made:
            operation = value.operation
            inputs = () if operation is None else tuple(x and remade(x) for x in operation.inputs)
            made[value] = value if operation is None else replace(value, operation=replace(operation, inputs=inputs))
        return made[value]

    for value in graph.values():
        other = None if value.operation is None else change(value, value.operation)
        made[value] = remade(value if other is None else other)
    return Graph(inputs=graph.inputs, outputs=tuple(made[output] for output in graph.outputs))


def split_chunked_linears(graph: Graph) -> Graph:
    """A linear layer that is only ever used in pieces of its output becomes a layer for each piece.

    So a gated feed-forward leaves nothing to cut: its two halves are two layers. Their weights are parts of the one's.
    """
    split = _only_sliced(graph)

    def changed(value: Value, operation: Operation) -> Value | None:
        source = operation.inputs[0] if operation.operator == "slice" else None
        if source not in split or source is None or source.operation is None:
            return None
        x, *parameters = source.operation.inputs
        start, length = operation.attributes["start"], operation.attributes["length"]
        inputs = (x, *(_rows(parameter, start, length) for parameter in parameters))
        return replace(value, operation=replace(source.operation, inputs=inputs))

    return rewritten(graph, changed)


def split_wide_convolutions(graph: Graph, most: int) -> Graph:
    """A convolution that sums more than ``most`` products for a number becomes a sum of convolutions of fewer channels.

    They compute the same. A CPU's kernel goes through all products of a few outputs before the next; weights that are
    more than its cache holds are then fetched again for every few outputs.
    """

    def changed(value: Value, operation: Operation) -> Value | None:
        if operation.operator != "conv2d" or operation.attributes["groups"] != 1:
            return None
        x, weight, bias = operation.inputs
        assert x is not None
        assert isinstance(weight, Constant)
        channels, products = weight.shape[1], math.prod(weight.shape[1:])
        parts = min(channels, -(-products // most))
        if parts <= 1:
            return None
        size = -(-channels // parts)
        total: Value | None = None
        for start in range(0, channels, size):
            length = min(size, channels - start)
            cut = {"dim": 1, "start": start, "length": length, "step": 1}
            taken = Operation(operator="slice", inputs=(x,), attributes=cut, where=operation.where)
            part = Value(shape=(x.shape[0], length, *x.shape[2:]), dtype=x.dtype, operation=taken)
            kernels = weight.tensor[:, start : start + length]
            narrow = Constant(shape=tuple(kernels.shape), dtype=kernels.dtype, tensor=kernels)
            inputs = (part, narrow, bias if total is None else None)
            convolved = replace(value, operation=replace(operation, inputs=inputs))
            added = Operation(operator="add", inputs=(total, convolved), where=operation.where)
            total = convolved if total is None else replace(value, operation=added)
        return total

    return rewritten(graph, changed)


def without_sines(graph: Graph) -> Graph:
    """Sines and cosines as polynomials, see `archlab.convert.graph.sines`."""

    def changed(value: Value, operation: Operation) -> Value | None:
        if operation.operator not in ("sin", "cos"):
            return None
        (angles,) = operation.inputs
        assert angles is not None
        with standing_in(operation.where):
            sine, cosine = sine_and_cosine(symbol(angles))
        chosen = sine if operation.operator == "sin" else cosine
        assert isinstance(chosen, Symbol)
        return chosen.value

    return rewritten(graph, changed)


def _only_sliced(graph: Graph) -> set[Value]:
    """Outputs of linear layers that are sliced along the last dimension, and not used otherwise."""
    sliced: set[Value] = set()
    whole: set[Value] = set(graph.outputs)
    for value in graph.values():
        operation = value.operation
        for source in () if operation is None else operation.inputs:
            if operation is None or source is None or source.operation is None:
                continue
            is_cut = operation.operator == "slice" and operation.attributes["dim"] == source.rank - 1
            is_cut = is_cut and operation.attributes["step"] == 1 and source.operation.operator == "linear"
            (sliced if is_cut else whole).add(source)
    return sliced - whole


def _rows(parameter: Value | None, start: int, length: int) -> Value | None:
    if not isinstance(parameter, Constant):
        return None
    tensor = parameter.tensor[start : start + length]
    return Constant(shape=tuple(tensor.shape), dtype=tensor.dtype, tensor=tensor)
