"""Ctrl-C between two steps, not within one."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_NUMBERS = (signal.SIGINT, *([signal.SIGUSR2] if hasattr(signal, "SIGUSR2") else []))  # see archlab.cli.interrupt


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Within the block no `KeyboardInterrupt` is raised; what is yielded says whether there would have been one.

    Signals that somebody else handles, and other threads than the main one, are left alone.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    came = False

    def note(*_: object) -> None:
        nonlocal came
        came = True

    ours = [number for number in _NUMBERS if signal.getsignal(number) is signal.default_int_handler]
    for number in ours:
        signal.signal(number, note)
    try:
        yield lambda: came
    finally:
        for number in ours:
            signal.signal(number, signal.default_int_handler)
