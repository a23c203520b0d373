"""What of a TFLite file the XNNPACK delegate takes, and what it leaves."""

from pathlib import Path

from archlab.convert.quiet import quiet
from archlab.errors import require
from archlab.surgery.litert_operators import Operator, operators

_DELEGATE = "DELEGATE"


def unaccelerated_operators(path: str | Path) -> list[str] | None:
    """Names of the operators that XNNPACK leaves to plain kernels, each once, in the order of the graph.

    Empty where the whole graph is delegated, None where this release of ai-edge-litert does not tell. TFLite's own
    names: ``GATHER_ND``, ``BROADCAST_TO``, ….
    """
    interpreter = require("ai_edge_litert.interpreter", "reading TFLite files")
    with quiet():
        loaded = interpreter.Interpreter(str(path), num_threads=1)
        loaded.allocate_tensors()
        listed = operators(loaded)
    if listed is None:
        return None
    delegates = [operator for operator in listed if operator.name == _DELEGATE]
    originals = [operator for operator in listed if operator.name != _DELEGATE]
    taken = _between(delegates, originals)
    return list(dict.fromkeys(operator.name for operator in originals if operator.number not in taken))


def _between(delegates: list[Operator], originals: list[Operator]) -> set[int]:
    """Operators on the way back from a delegate's outputs to its inputs: the interpreter lists those it replaced."""
    producers = {tensor: operator for operator in originals for tensor in operator.outputs}
    taken: set[int] = set()
    for delegate in delegates:
        pending = list(delegate.outputs)
        while pending:
            tensor = pending.pop()
            operator = producers.get(tensor)
            if tensor in delegate.inputs or operator is None or operator.number in taken:
                continue
            taken.add(operator.number)
            pending.extend(operator.inputs)
    return taken
