"""Converters write a lot, also from C++; what matters of it, they raise."""

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def quiet() -> Iterator[None]:
    """Drop warnings, log lines and what native code writes to the standard error while the block runs.

    What Python itself writes to ``sys.stderr``, a progress bar for instance, still arrives.
    """
    disabled = logging.root.manager.disable
    with warnings.catch_warnings(), _native_stderr_dropped():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(disabled)


@contextmanager
def _native_stderr_dropped() -> Iterator[None]:
    python_stderr = sys.stderr
    python_stderr.flush()
    stderr = os.dup(2)
    with suppress(OSError, ValueError, AttributeError):  # no descriptor: a notebook's or a test's stream
        if python_stderr.fileno() == 2:
            sys.stderr = os.fdopen(os.dup(stderr), "w", buffering=1, encoding=python_stderr.encoding)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        if sys.stderr is not python_stderr:
            sys.stderr.close()
            sys.stderr = python_stderr
