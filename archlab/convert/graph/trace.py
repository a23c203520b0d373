"""The graph of a module: its own ``forward``, run once with symbols."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from archlab.convert.graph import calls
from archlab.convert.graph.graph import Constant, Graph, Value
from archlab.convert.graph.operators import OPERATORS
from archlab.convert.graph.symbol import Symbol, leaves, no_operator, standing_in, symbol
from archlab.errors import RunFailed

__all__ = ["calls", "evaluating", "trace"]  # the first for what it registers


def trace(module: nn.Module, inputs: Mapping[str, Tensor]) -> Graph:
    """What the module computes in eval mode for inputs of these shapes.

    The module is neither changed nor copied: the graph refers to its weights, which must not change until it is
    written. What of the module no output needs is left out.

    Args:
        inputs: by the names of ``module.forward``'s arguments; their numbers do not matter.

    Raises:
        RunFailed: an operation that the outputs need has no operator, or the module's way depends on numbers.
    """
    values = {name: Value(shape=tuple(x.shape), dtype=_type_on_device(x)) for name, x in inputs.items()}
    with torch.no_grad(), evaluating(module), _named_places(module):
        made = module(**{name: symbol(value) for name, value in values.items()})
    outputs = tuple(_output(leaf) for leaf in leaves(made) if isinstance(leaf, Tensor))
    if not outputs:
        raise RunFailed("the network gives no tensor")
    graph = Graph(inputs=values, outputs=outputs)
    for value in graph.values():
        if value.operation is not None and value.operation.operator not in OPERATORS:
            raise no_operator(value.operation)
    return graph


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """The module and its parts in eval mode; afterwards each in its own again."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


@contextmanager
def _named_places(module: nn.Module) -> Iterator[None]:
    """Operations know the path of the module they stand in."""
    paths = {part: path for path, part in module.named_modules()}
    entered: list[ExitStack] = []

    def enter(part: nn.Module, _: Any) -> None:
        if part in paths:
            entered.append(ExitStack())
            entered[-1].enter_context(standing_in(paths[part]))

    def leave(part: nn.Module, _: Any, __: Any) -> None:
        if part in paths:
            entered.pop().close()

    before = register_module_forward_pre_hook(enter)
    after = register_module_forward_hook(leave, always_call=True)
    try:
        yield
    finally:
        before.remove()
        after.remove()


def _type_on_device(x: Tensor) -> torch.dtype:
    return torch.float32 if x.dtype.is_floating_point else torch.int32


def _output(leaf: Tensor) -> Value:
    if isinstance(leaf, Symbol):
        return leaf.value
    return Constant(shape=tuple(leaf.shape), dtype=leaf.dtype, tensor=leaf)
