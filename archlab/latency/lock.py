"""Exclusive use of a device for as long as something is timed on it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

DeviceLock = Callable[[str], AbstractContextManager[None]]
"""Gives exclusive use of a device for as long as the context lasts. Its argument is a `Runner.resource`."""

THIS_COMPUTER = "this computer"  # what every device locks that runs on the computer of this process


def unlocked(resource: str) -> AbstractContextManager[None]:
    """No lock, for a process that shares its devices with no other."""
    return nullcontext()
