"""Faster decompositions for litert-torch, which asks torch four times to trace a whole graph anew.

Written for torch 2.11 to 2.13 and litert-torch 0.10. While the block runs ``ExportedProgram.run_decompositions`` is
replaced; where `archlab.surgery.node_by_node` does not fit torch, torch's own way is taken, about six times slower.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch.export import ExportedProgram

from archlab.surgery.fallback import fall_back

WRITTEN_FOR = "2.11 to 2.13"

Decompose = Callable[[ExportedProgram, Mapping[Any, Callable[..., Any]]], ExportedProgram | None]


@contextmanager
def quick_decompositions(decompose: Decompose | None = None) -> Iterator[None]:
    """While the block runs, `ExportedProgram.run_decompositions` works node by node.

    Args:
        decompose: another way than `node_by_node.decompose`; None of it is torch's own way, and whatever it raises is
            said and is torch's own way too.
    """
    torch_way = ExportedProgram.run_decompositions

    def run_decompositions(program: ExportedProgram, decomp_table: Any = None, **options: Any) -> ExportedProgram:
        if decomp_table and not options and (decomposed := _attempt(decompose, program, decomp_table)) is not None:
            return decomposed
        torchs: ExportedProgram = torch_way(program, decomp_table, **options)
        return torchs

    ExportedProgram.run_decompositions = run_decompositions  # type: ignore[method-assign]
    try:
        yield
    finally:
        ExportedProgram.run_decompositions = torch_way  # type: ignore[method-assign]


def _attempt(
    decompose: Decompose | None, program: ExportedProgram, table: Mapping[Any, Callable[..., Any]]
) -> ExportedProgram | None:
    try:
        return (decompose or _node_by_node())(program, table)
    except Exception as error:  # whatever stops the short cut, torch's own way is still there
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        fall_back("torch", WRITTEN_FOR, why, "conversions go torch's own way, about six times slower")
        return None


def _node_by_node() -> Decompose:
    from archlab.surgery.node_by_node import decompose  # reaches into torch as it is imported

    return decompose
