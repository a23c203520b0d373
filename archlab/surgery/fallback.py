"""Says that a library is another than surgery was written for."""

import platform
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version


def fall_back(library: str, written_for: str, why: str, instead: str) -> None:
    """Say in one line on the standard error, once in a process, that surgery on a library does not fit.

    Args:
        library: the distribution's name.
        written_for: its versions that the surgery was tried with.
        why: what does not fit.
        instead: what happens now, and what it costs.
    """
    what = f"{library} {installed_version(library)} is not as {written_for} was"
    _say(f"archlab: {what}: {' '.join(why.split())}; {instead}")


def installed_version(library: str) -> str:
    """The version that is installed, Python's for one of its own modules, or words where none is known."""
    if library in sys.stdlib_module_names:
        return f"of Python {platform.python_version()}"
    try:
        return version(library)
    except PackageNotFoundError:
        return "(of an unknown version)"


@cache
def _say(line: str) -> None:
    print(line, file=sys.stderr)
