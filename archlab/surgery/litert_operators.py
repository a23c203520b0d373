"""The operators that a TFLite interpreter runs, delegates included.

Written for ai-edge-litert 2.3: ``Interpreter._get_ops_details`` is private. Without it nothing is known of partitions.
"""

from typing import Any, NamedTuple

from archlab.surgery.fallback import fall_back

WRITTEN_FOR = "2.3"


class Operator(NamedTuple):
    """One operator of the graph as TFLite lists it; those that a delegate took over are listed too.

    Attributes:
        number: its place in the graph.
        name: TFLite's own: ``CONV_2D``, ``DELEGATE``.
        inputs, outputs: indices of tensors.
    """

    number: int
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def operators(interpreter: Any) -> list[Operator] | None:
    """The operators in the order of the graph; None where this release does not tell."""
    try:
        return [
            Operator(
                int(details["index"]),
                str(details["op_name"]),
                tuple(int(tensor) for tensor in details["inputs"]),
                tuple(int(tensor) for tensor in details["outputs"]),
            )
            for details in interpreter._get_ops_details()
        ]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        why = f"{type(error).__name__}: {error}"
        fall_back("ai-edge-litert", WRITTEN_FOR, why, "it stays unknown which operators XNNPACK takes")
        return None
