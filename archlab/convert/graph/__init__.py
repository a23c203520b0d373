"""A network as a graph of few operators, whatever torch modules it is made of."""

from archlab.convert.graph.graph import Constant, Graph, Operation, Value, run_graph
from archlab.convert.graph.operators import OPERATORS
from archlab.convert.graph.rewrite import split_chunked_linears, without_sines
from archlab.convert.graph.trace import evaluating, trace

__all__ = [
    "OPERATORS",
    "Constant",
    "Graph",
    "Operation",
    "Value",
    "evaluating",
    "run_graph",
    "split_chunked_linears",
    "trace",
    "without_sines",
]
