"""What of a TFLite file the XNNPACK delegate takes, and what it leaves."""

from pathlib import Path
from typing import Any

from archlab.convert.quiet import quiet
from archlab.errors import require


def unaccelerated_operators(path: str | Path) -> list[str]:
    """Names of the operators that XNNPACK leaves to plain kernels, each once, in the order of the graph.

    Empty where the whole graph is delegated. TFLite's own names: ``GATHER_ND``, ``BROADCAST_TO``, ….
    """
    interpreter = require("ai_edge_litert.interpreter", "reading TFLite files", "tflite")
    with quiet():
        loaded = interpreter.Interpreter(str(path), num_threads=1)
        loaded.allocate_tensors()
        operators: list[dict[str, Any]] = loaded._get_ops_details()
    delegates = [operator for operator in operators if operator["op_name"] == "DELEGATE"]
    originals = [operator for operator in operators if operator["op_name"] != "DELEGATE"]
    taken = _between(delegates, originals)
    return list(dict.fromkeys(operator["op_name"] for operator in originals if operator["index"] not in taken))


def _between(delegates: list[dict[str, Any]], originals: list[dict[str, Any]]) -> set[int]:
    """Operators on the way back from a delegate's outputs to its inputs: the interpreter keeps those it replaced."""
    producers = {int(tensor): operator for operator in originals for tensor in operator["outputs"]}
    taken: set[int] = set()
    for delegate in delegates:
        inputs = {int(tensor) for tensor in delegate["inputs"]}
        pending = [int(tensor) for tensor in delegate["outputs"]]
        while pending:
            tensor = pending.pop()
            operator = producers.get(tensor)
            if tensor in inputs or operator is None or operator["index"] in taken:
                continue
            taken.add(operator["index"])
            pending.extend(int(source) for source in operator["inputs"])
    return taken
