"""Values, the operations that make them, and the graph they form."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from archlab.convert.graph.operators import OPERATORS


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Value:
    """A tensor of the graph; two are the same only if they are one object.

    Attributes:
        operation: what makes it; None for an input and for a constant.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    operation: "Operation | None" = None

    @property
    def rank(self) -> int:
        """How many dimensions it has."""
        return len(self.shape)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Constant(Value):
    """A tensor that is known: weights, and what was computed from no input. Weights are referred to, not copied."""

    tensor: Tensor


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Operation:
    """One operator applied.

    Attributes:
        operator: a name of `OPERATORS`; or torch's own name of a function that has no operator.
        inputs: as many as the operator takes; None where an optional one is absent.
        attributes: the operator's further arguments, by name.
        where: the path of the module in whose ``forward`` it stands; empty for the outermost.
    """

    operator: str
    inputs: tuple[Value | None, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A network: what goes in by name, and what comes out."""

    inputs: Mapping[str, Value]
    outputs: tuple[Value, ...]

    def values(self) -> Iterator[Value]:
        """Every value that an output depends on, each after those that it is made from."""
        seen: set[Value] = set()
        for output in self.outputs:
            pending: list[tuple[Value, bool]] = [(output, False)]
            while pending:
                value, ready = pending.pop()
                if ready:
                    yield value
                elif value not in seen:
                    seen.add(value)
                    pending.append((value, True))
                    if value.operation is not None:
                        sources = [source for source in value.operation.inputs if source is not None]
                        pending.extend((source, False) for source in reversed(sources))


def run_graph(graph: Graph, inputs: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    """What the graph computes, by torch: the meaning of its operators."""
    known: dict[Value, Tensor] = {value: inputs[name] for name, value in graph.inputs.items()}
    with torch.no_grad():
        for value in graph.values():
            if isinstance(value, Constant):
                known[value] = value.tensor
            elif (made_by := value.operation) is not None:
                sources = (None if source is None else known[source] for source in made_by.inputs)
                known[value] = OPERATORS[made_by.operator](*sources, **made_by.attributes)
    return tuple(known[output] for output in graph.outputs)
