"""A graph as a program of coremltools' intermediate language (MIL)."""

from collections import defaultdict
from collections.abc import Mapping

import coremltools
import torch
from coremltools.converters.mil import Builder as mb
from coremltools.converters.mil.mil import Function, Program, types

from archlab.convert.coreml import split_einsum
from archlab.convert.coreml.operators import FORMS
from archlab.convert.coreml.variables import Variables
from archlab.convert.graph import Graph, Value

_TYPES = {torch.float16: types.fp16, torch.float32: types.fp32, torch.int32: types.int32}


def mil_program(
    graph: Graph, attention: str, input_types: Mapping[str, torch.dtype], outputs: Mapping[str, str]
) -> Program:
    """Its inputs have the graph's names. It computes in float32 unless passes change that.

    Args:
        attention: one of `archlab.convert.coreml.ATTENTION_FORMS`.
        input_types: float16, float32 or int32, by name.
        outputs: ``fp16``, ``fp32`` or ``int32``, by the name that each output gets, in the graph's order.
    """
    inputs = {name: mb.placeholder(value.shape, _TYPES[input_types[name]]) for name, value in graph.inputs.items()}
    with Function(inputs, opset_version=coremltools.target.iOS17) as function:
        variables = Variables()
        for name, value in graph.inputs.items():
            given = function.inputs[name]
            variables.put(value, mb.cast(x=given, dtype="fp32") if value.dtype.is_floating_point else given)
        _put_operations(graph, attention, variables)
        function.set_outputs(
            [
                mb.cast(x=variables.own(value), dtype=dtype, name=name)
                for (name, dtype), value in zip(outputs.items(), graph.outputs, strict=True)
            ]
        )
    program = Program()
    program.add_function("main", function)
    return program


def _put_operations(graph: Graph, attention: str, variables: Variables) -> None:
    query_chunk = split_einsum.QUERY_CHUNK if attention == "split_einsum_v2" else None
    tilings = _tilings(graph)
    for value in graph.values():
        operation = value.operation
        if operation is None or value in variables:
            continue
        if value in tilings:
            variables.put_pieces(*tilings[value])
        elif attention == "plain" or not split_einsum.put_channels_first(value, operation, variables, query_chunk):
            sources = (variables.own(source) for source in operation.inputs)
            variables.put(value, FORMS[operation.operator](*sources, **operation.attributes))


def _tilings(graph: Graph) -> dict[Value, tuple[Value, int, list[Value]]]:
    """For every slice of those that together are the whole of a value: that value, the dimension, all its slices."""
    slices: dict[tuple[Value, int], dict[Value, range]] = defaultdict(dict)
    for value in graph.values():
        if value.operation is not None and value.operation.operator == "slice":
            (source,), cut = value.operation.inputs, value.operation.attributes
            if source is not None and cut["step"] == 1:
                slices[source, cut["dim"]][value] = range(cut["start"], cut["start"] + cut["length"])
    tilings = {}
    for (source, dim), ranges in slices.items():
        pieces = sorted(ranges, key=lambda piece: ranges[piece].start)
        if [index for piece in pieces for index in ranges[piece]] == list(range(source.shape[dim])):
            tilings.update(dict.fromkeys(pieces, (source, dim, pieces)))
    return tilings
