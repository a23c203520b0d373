"""Exclusive use of a device for as long as something is timed on it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

DeviceLock = Callable[[str], AbstractContextManager[None]]
"""Holds what it names for as long as the context lasts: `THIS_COMPUTER`, or a device by its name."""

THIS_COMPUTER = "this computer"  # what every device locks that runs on the computer of this process


def unlocked(resource: str) -> AbstractContextManager[None]:
    """No lock: for a process that nobody shares its devices with."""
    return nullcontext()
