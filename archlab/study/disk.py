"""A full disk is waited for."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from archlab.errors import BadInput
from archlab.files import is_full

LEAST_FREE_MB = 64.0

Say = Callable[[str], None]
Sleep = Callable[[float], None]
Result = TypeVar("Result")


def free_mb(folder: Path) -> float:
    """How much the disk has left for the folder; a quota may leave less."""
    return shutil.disk_usage(folder).free / 1e6


@dataclass(frozen=True, kw_only=True)
class Disk:
    """Patience with a full disk.

    Attributes:
        free_mb: how much room a folder has.
        poll_seconds: between looks at it.
    """

    free_mb: Callable[[Path], float] = free_mb
    poll_seconds: float = 2.0

    def wait_for_room(self, folder: Path, say: Say, *, was_refused: bool = False, sleep: Sleep = time.sleep) -> None:
        """Return once there are `LEAST_FREE_MB` for ``folder``; say so where that takes a while.

        Args:
            was_refused: something could not be written just now, be it that a quota leaves less than the disk has.
            sleep: waits for so many seconds, or raises what ends the wait.
        """
        folder = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not was_refused and self.free_mb(folder) >= LEAST_FREE_MB:
            return
        free = "a quota or the disk refuses more" if was_refused else f"{self.free_mb(folder):,.0f} MB are free"
        say(
            f"no room for {folder}: {free} and {LEAST_FREE_MB:,.0f} MB are needed: free some of the disk; the study "
            "waits and then goes on"
        )
        sleep(self.poll_seconds)
        while self.free_mb(folder) < LEAST_FREE_MB:
            sleep(self.poll_seconds)

    def write(self, write: Callable[[], Result], folder: Path, say: Say, sleep: Sleep = time.sleep) -> Result:
        """What ``write`` returns, which writes below ``folder`` whole or not at all, when there is room for it."""
        self.wait_for_room(folder, say, sleep=sleep)
        while True:
            try:
                return write()
            except (OSError, BadInput) as error:
                if not is_full(error):
                    raise
                self.wait_for_room(folder, say, was_refused=True, sleep=sleep)


DISK = Disk()
