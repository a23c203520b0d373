"""``require``: expressions over knob values that every architecture of the space satisfies."""

import ast
from collections.abc import Iterable, Mapping
from typing import Any

import simpleeval

from archlab.errors import BadInput, nearest, shown


class Requirement:
    """One expression, such as ``not (conv == 'separable' and ff_ratio > 6)``.

    Knob names, numbers, strings, lists, arithmetic, comparisons, ``in``, ``and``, ``or``, ``not``; no calls.

    Raises:
        BadInput: it is not such an expression, or names something that is not a knob.
    """

    def __init__(self, text: str, knobs: Iterable[str]) -> None:
        self.text = text
        self._evaluator = simpleeval.EvalWithCompoundTypes(operators=_OPERATORS, functions={})
        try:
            tree = ast.parse(text.strip(), mode="eval")
            self._parsed = self._evaluator.parse(text.strip())
        except (SyntaxError, ValueError, simpleeval.InvalidExpression) as error:
            detail = getattr(error, "msg", None) or str(error)
            raise BadInput(f"not an expression: {detail}: {shown(text)}") from None
        except (RecursionError, MemoryError):
            raise BadInput(f"nested too deeply: {shown(text[:60])}…") from None
        for node in ast.walk(tree):
            if isinstance(node, _REFUSED):
                raise BadInput(f"{type(node).__name__.lower()} is not allowed in {shown(text)}")
            if isinstance(node, ast.Name) and node.id not in knobs:
                raise BadInput(f"{shown(node.id)} is not a knob of this space{nearest(node.id, knobs)}")
        self.names = frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether it is true for these knob values.

        Raises:
            BadInput: it cannot be evaluated, such as an order between a word and a number.
        """
        self._evaluator.names = dict(values)
        try:
            return bool(self._evaluator.eval(self.text, previously_parsed=self._parsed))
        except (simpleeval.InvalidExpression, TypeError, ValueError, ArithmeticError, LookupError) as error:
            raise BadInput(f"{shown(self.text)} cannot be evaluated: {error}") from None


_OPERATORS = {kind: act for kind, act in simpleeval.DEFAULT_OPERATORS.items() if kind is not ast.Pow}
_REFUSED = (
    ast.Pow,
    ast.Call,
    ast.Attribute,
    ast.Lambda,
    ast.NamedExpr,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
    ast.JoinedStr,
)
