"""A network as a graph of few operators, whatever torch modules it is made of."""

from archlab.convert.graph.graph import Constant, Graph, Operation, Value, run_graph
from archlab.convert.graph.halves import Halves, halves
from archlab.convert.graph.operators import OPERATORS
from archlab.convert.graph.rewrite import split_chunked_linears, split_wide_convolutions, without_sines
from archlab.convert.graph.trace import evaluating, trace

__all__ = [
    "OPERATORS",
    "Constant",
    "Graph",
    "Halves",
    "Operation",
    "Value",
    "evaluating",
    "halves",
    "run_graph",
    "split_chunked_linears",
    "split_wide_convolutions",
    "trace",
    "without_sines",
]
