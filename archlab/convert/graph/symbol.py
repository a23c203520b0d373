"""A tensor without data that writes down what is done to it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

from archlab.convert.graph.graph import Constant, Operation, Value
from archlab.convert.graph.shapes import shape_of
from archlab.errors import RunFailed

Call = Callable[..., Any]

_calls: dict[str, Call] = {}
_where: ContextVar[str] = ContextVar("_where", default="")


class Symbol(Tensor):
    """Stands for a value of the graph while a network's ``forward`` runs.

    What torch is asked to do with it becomes operations, by the functions that `call` registers. Only its shape, type
    and device can be known; what depends on its numbers cannot be traced.
    """

    value: Value

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Every torch function and method that is given a symbol comes here."""
        name = _name(func)
        if name in _ANSWERS:
            return _ANSWERS[name]
        if name in _OF_SHAPE:
            return super().__torch_function__(func, types, args, kwargs)  # type: ignore[no-untyped-call]  # torch's
        known = _calls.get(name)
        result = NotImplemented if known is None else known(*args, **(kwargs or {}))
        return _without_operator(func, name, args, kwargs or {}) if result is NotImplemented else result


def symbol(value: Value) -> Symbol:
    """The symbol of a value: a meta tensor that says it is on the CPU."""
    made = torch.empty(value.shape, dtype=value.dtype, device="meta").as_subclass(Symbol)
    made.value = value
    return made


def call(*names: str) -> Callable[[Call], Call]:
    """Register what torch's functions and methods of these names do with symbols.

    A function's underscores at both ends are left out: ``add`` is ``torch.add``, ``Tensor.add`` and
    ``Tensor.__add__``. What gives back ``NotImplemented`` has no operator for these arguments.
    """

    def register(function: Call) -> Call:
        for name in names:
            _calls[name] = function
        return function

    return register


def record(operator: str, *inputs: Any, **attributes: Any) -> Symbol:
    """One operator applied to symbols, tensors and numbers; None for an optional input that is absent."""
    values = tuple(_value(source) for source in inputs)
    operation = Operation(operator=operator, inputs=values, attributes=attributes, where=_where.get())
    try:
        shape = shape_of(operator, [None if value is None else value.shape for value in values], attributes)
    except RuntimeError as error:
        raise no_operator(operation, str(error)) from error
    return symbol(Value(shape=shape, dtype=_type(values, attributes), operation=operation))


@contextmanager
def standing_in(path: str) -> Iterator[None]:
    """Operations recorded in the block stand in the module of this path."""
    before = _where.set(path)
    try:
        yield
    finally:
        _where.reset(before)


def _value(source: Any) -> Value | None:
    if isinstance(source, Symbol):
        return source.value
    if source is None:
        return None
    tensor = source.detach() if isinstance(source, Tensor) else torch.tensor(source, dtype=torch.get_default_dtype())
    return Constant(shape=tuple(tensor.shape), dtype=tensor.dtype, tensor=tensor)


def _type(values: Iterable[Value | None], attributes: Mapping[str, Any]) -> torch.dtype:
    """That of the first floating input, else of the first; ``cast`` says it."""
    types = [value.dtype for value in values if value is not None]
    dtype: torch.dtype = attributes.get("dtype") or next((t for t in types if t.is_floating_point), types[0])
    return dtype


def _without_operator(func: Call, name: str, args: Any, kwargs: Any) -> Any:
    """Symbols whose value cannot be written: an error only where one turns out to be needed."""
    inputs = tuple(leaf.value for leaf in leaves((args, kwargs)) if isinstance(leaf, Symbol))
    operation = Operation(operator=f"torch's {name}", inputs=inputs, where=_where.get())
    if name in _IN_PLACE or (name.endswith("_") and not name.endswith("__")):
        raise no_operator(operation, "it writes into a tensor")
    if name in _OF_NUMBERS:
        raise no_operator(operation, "the network's way depends on numbers")

    def meta_of(leaf: Any) -> Any:
        if isinstance(leaf, Symbol):
            return leaf.as_subclass(Tensor)
        return leaf.to("meta") if isinstance(leaf, Tensor) else leaf

    try:
        result = func(*_mapped(meta_of, args), **_mapped(meta_of, kwargs))
    except Exception as error:
        raise no_operator(operation, str(error)) from error

    def symbol_of(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        return symbol(Value(shape=tuple(leaf.shape), dtype=leaf.dtype, operation=operation))

    return _mapped(symbol_of, result)


def leaves(tree: Any) -> Iterator[Any]:
    """What is in nested lists, tuples and dictionaries."""
    if isinstance(tree, Mapping):
        tree = tuple(tree.values())
    if isinstance(tree, list | tuple):
        for branch in tree:
            yield from leaves(branch)
    else:
        yield tree


def _mapped(change: Call, tree: Any) -> Any:
    if isinstance(tree, dict):
        return {name: _mapped(change, branch) for name, branch in tree.items()}
    if isinstance(tree, list | tuple):
        return tuple(_mapped(change, branch) for branch in tree)
    return change(tree)


def no_operator(operation: Operation, why: str = "") -> RunFailed:
    """The error for an operation that no file can have."""
    place = f"module {operation.where}" if operation.where else "the network's forward"
    reason = f": {' '.join(why.split())}"[:160] if why else ""
    return RunFailed(f"{operation.operator}, in {place}, has no form for a device{reason}")


def _name(func: Any) -> str:
    """``add`` of ``torch.add`` and ``Tensor.__add__``; ``shape`` of the property's getter."""
    name: str = getattr(func, "__name__", repr(func))
    if name == "__get__":
        return f".{func.__self__.__name__}"
    is_operator = name.startswith("__") and name.endswith("__") and name not in ("__float__", "__int__")
    return name[2:-2] if is_operator else name


_IN_PLACE = ("setitem", "iadd", "isub", "imul", "itruediv", "set")
_OF_NUMBERS = ("bool", "item", "tolist", "__float__", "__int__", "index", "nonzero")
_ANSWERS = {".device": torch.device("cpu"), ".is_cpu": True, ".is_meta": False, "get_device": -1}
_OF_SHAPE = {
    *(f".{name}" for name in ("shape", "dtype", "ndim", "layout", "is_cuda", "requires_grad", "is_sparse")),
    *(f".{name}" for name in ("is_quantized", "is_mps", "is_xpu", "is_nested", "names")),
    *("size", "dim", "numel", "nelement", "ndimension", "stride", "element_size", "len", "hash", "repr"),
    *("is_floating_point", "is_complex", "is_contiguous", "is_tensor", "is_same_size", "is_conj", "is_neg"),
}
