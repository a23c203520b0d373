"""What archlab says to the person at the keyboard when something is wrong."""

import difflib
import importlib
import re
import reprlib
from collections.abc import Iterable, Sequence
from types import ModuleType

_MOST_QUOTED = 200
_REPR = reprlib.Repr()
_REPR.maxlist = _REPR.maxtuple = _REPR.maxdict = _REPR.maxset = 20
_REPR.maxstring = _REPR.maxlong = _REPR.maxother = _MOST_QUOTED


class BadInput(Exception):
    """The user can mend this: one line that says what, where and what would be right. Exit code 2."""


class RunFailed(Exception):
    """The input was fine and the run failed nonetheless. Exit code 1."""


class OutOfMemory(RunFailed):
    """The memory of the computer or its GPU did not suffice; a smaller micro-batch may."""


class MissingExtra(BadInput):
    """A dependency is not installed: an optional one, or one of archlab's own that was taken away."""

    def __init__(self, purpose: str, extra: str = "") -> None:
        mend = (
            f"an optional dependency: pip install 'archlab[{extra}]'"
            if extra
            else "what comes with archlab: pip install archlab"
        )
        super().__init__(f"{purpose} needs {mend}")


def require(module: str, purpose: str, extra: str = "") -> ModuleType:
    """Import a dependency that takes long to import, or is optional.

    Args:
        extra: that brings it, where archlab itself does not.

    Raises:
        MissingExtra: it is not installed; the message has the command that brings it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(purpose, extra) from error


def nearest(word: str, valid: Iterable[str]) -> str:
    """``; did you mean 'conv'?`` or, when nothing is near, the list of valid words."""
    words = sorted(valid)
    close = difflib.get_close_matches(word[:_MOST_QUOTED], words, n=1)
    if close:
        return f"; did you mean {shown(close[0])}?"
    return f"; valid: {_listed(words)}" if words else ""


def shown(value: object) -> str:
    """The value as Python writes it, on one line, at most 200 characters of it."""
    return shorten(_REPR.repr(value))


def shorten(text: str, most: int = _MOST_QUOTED) -> str:
    """At most so many characters of a text."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def one_line(text: str) -> str:
    """Of what a library says about somebody's file, at most 200 characters, on one line."""
    return shorten(" ".join(text[: 10 * _MOST_QUOTED].split()))


def without_passwords(text: str) -> str:
    """The text with ``***`` for every password in an address: ``postgresql://me:***@host/database``."""
    return _IN_QUERY.sub(r"\1***", _IN_ADDRESS.sub(r"\1***@", text))


_IN_ADDRESS = re.compile(r"(\w://[^:/@\s]*:)[^\n]*@")
_IN_QUERY = re.compile(r"([?&;]\s*(?:password|passwd|sslpassword)=)[^&\s'\"]*", re.IGNORECASE)


def _listed(words: Sequence[str], most: int = 40) -> str:
    """The words, each at most 60 characters; of many, the first."""
    listed = ", ".join(shorten(word, 60) for word in words[:most])
    return listed if len(words) <= most else f"{listed}, and {len(words) - most:,} more"


def reason(error: Exception) -> str:
    """The first line of what a library said, with the kind of its error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
