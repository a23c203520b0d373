"""A graph cut in two where about half of its weights are."""

from dataclasses import replace
from typing import NamedTuple

from archlab.convert.graph.graph import Constant, Graph, Operation, Value
from archlab.convert.graph.rewrite import rewritten

_BALANCE = 0.05  # of the weights, by which a half may be more or less than half, for fewer numbers to hand over
_MOVES = ("reshape", "permute", "cast", "expand")  # which the second graph does again rather than be handed the result


class Halves(NamedTuple):
    """Two graphs that one after the other compute what the whole does.

    Attributes:
        first: its outputs are the tensors that it hands over.
        second: takes them, and of the whole's inputs those that it needs.
        handed_over: their names among the second's inputs, in the order of the first's outputs.
    """

    first: Graph
    second: Graph
    handed_over: tuple[str, ...]


class _Cut(NamedTuple):
    share: float  # of the weights that lie before it
    handed_over: tuple[Value, ...]

    @property
    def cost(self) -> tuple[bool, bool, int, float]:
        """Near the middle; then feature maps rather than tokens, which runtimes lay out their own way; then few."""
        distance = abs(self.share - 0.5)
        tokens = any(value.rank == 3 for value in self.handed_over)
        size = sum(_size(value) for value in self.handed_over)
        return distance > _BALANCE, tokens, size if distance <= _BALANCE else 0, distance


def halves(graph: Graph) -> Halves:
    """Cut where each side has 45 to 55 % of the weights, with the fewest numbers to hand over; else nearest to half.

    Only floating numbers are handed over, named ``hidden_0``, ``hidden_1`` ….

    Raises:
        ValueError: the graph has fewer than two operations.
    """
    cuts = [cut for cut in _cuts(graph) if all(value.dtype.is_floating_point for value in cut.handed_over)]
    if not cuts:
        raise ValueError("a graph of fewer than two operations has no halves")
    crossing = min(cuts, key=lambda cut: cut.cost).handed_over
    given = {value: Value(shape=value.shape, dtype=value.dtype) for value in crossing}
    names = tuple(f"hidden_{index}" for index in range(len(crossing)))
    first = Graph(inputs=graph.inputs, outputs=crossing)
    second = rewritten(graph, lambda value, _: given.get(value))
    second = replace(second, inputs={**graph.inputs, **dict(zip(names, given.values(), strict=True))})
    return Halves(_without_idle_inputs(first), _without_idle_inputs(second), names)


def _cuts(graph: Graph) -> list[_Cut]:
    """After each operation but the last."""
    order = [value for value in graph.values() if value.operation is not None]
    last_use = {output: len(order) for output in graph.outputs}
    before, weights, counted = [], 0, set[Value]()
    for index, value in enumerate(order):
        for source in _sources(value.operation):
            last_use[source] = max(index, last_use.get(source, 0))
            if isinstance(source, Constant) and source not in counted:
                counted.add(source)
                weights += _size(source)
        before.append(weights)
    moved = _moved_inputs(graph, order)
    cuts, alive = [], list[Value]()
    for index, value in enumerate(order[:-1]):
        alive = [other for other in (*alive, value) if last_use[other] > index]
        cuts.append(_Cut(before[index] / max(1, weights), tuple(other for other in alive if other not in moved)))
    return cuts


def _moved_inputs(graph: Graph, order: list[Value]) -> set[Value]:
    """Inputs in another shape or type."""
    moved = set(graph.inputs.values())
    for value in order:
        if (
            value.operation is not None
            and value.operation.operator in _MOVES
            and moved.issuperset(_sources(value.operation))
        ):
            moved.add(value)
    return moved


def _without_idle_inputs(graph: Graph) -> Graph:
    used = set(graph.values())
    return replace(graph, inputs={name: value for name, value in graph.inputs.items() if value in used})


def _sources(operation: Operation | None) -> list[Value]:
    return [] if operation is None else [source for source in operation.inputs if source is not None]


def _size(value: Value) -> int:
    size = 1
    for length in value.shape:
        size *= length
    return size
