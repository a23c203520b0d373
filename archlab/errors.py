"""What archlab says to the person at the keyboard when something is wrong."""

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType


class BadInput(Exception):
    """The user can mend this: one line that says what, where and what would be right. Exit code 2."""


class RunFailed(Exception):
    """The input was fine and the run failed nonetheless. Exit code 1."""


class OutOfMemory(RunFailed):
    """The memory of the computer or its GPU did not suffice; a smaller micro-batch may."""


class MissingExtra(BadInput):
    """An optional dependency is not installed."""

    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(f"{purpose} needs an optional dependency: pip install 'archlab[{extra}]'")


def require(module: str, purpose: str, extra: str) -> ModuleType:
    """Import an optional dependency.

    Raises:
        MissingExtra: it is not installed; the message names the extra that brings it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(purpose, extra) from error


def nearest(word: str, valid: Iterable[str]) -> str:
    """``; did you mean 'conv'?`` or, when nothing is near, the list of valid words."""
    words = sorted(valid)
    close = difflib.get_close_matches(word, words, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; valid: {', '.join(words)}"
