"""How far something long has come, reported a few times a second, and what happens meanwhile."""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from statistics import fmean
from typing import Any

Progress = Callable[[str, float], None]  # stage, and the share of it that is done, 0 … 1
ShareDone = Callable[[float], None]  # the share of one stage that is done


def silent_share(_share: float) -> None:
    """A share that nobody sees."""


_REPORT_SECONDS = 0.2


def silent(stage: str, share: float) -> None:
    """Progress that nobody sees."""


class OutOfTime(Exception):
    """A deadline has passed."""


class Deadline:
    """A moment until which something may go on, where it looks.

    Args:
        seconds: from now.
        progress: hears of what is done until then.
    """

    def __init__(self, seconds: float, progress: Progress = silent) -> None:
        self.seconds, self._until, self._progress = seconds, time.perf_counter() + seconds, throttled(progress)

    @property
    def seconds_left(self) -> float:
        """None left: 0."""
        return max(0.0, self._until - time.perf_counter())

    def check(self) -> None:
        """Raises:
        OutOfTime: it has passed.
        """
        if not self.seconds_left:
            raise OutOfTime

    def progress(self, stage: str, share: float) -> None:
        """Tell of it, and `check`."""
        self.check()
        self._progress(stage, share)


def together(progress: Progress, seeds: int) -> Callable[[int, str, float], None]:
    """Progress of all seeds from that of each, by its index: the mean of their shares."""
    shares: dict[str, list[float]] = defaultdict(lambda: [0.0] * seeds)

    def report(index: int, stage: str, share: float) -> None:
        shares[stage][index] = share
        progress(stage, fmean(shares[stage]))

    return report


def throttled(progress: Progress) -> Progress:
    """Passes on what begins or ends a stage, and otherwise a few calls a second."""
    last = ("", -math.inf)

    def report(stage: str, share: float) -> None:
        nonlocal last
        now = time.monotonic()
        if stage != last[0] or share >= 1 or now - last[1] >= _REPORT_SECONDS:
            last = (stage, now)
            progress(stage, share)

    return report


def tell(watchers: Iterable[object], event: str, *arguments: Any) -> None:
    """Call this method of every watcher."""
    for watcher in watchers:
        getattr(watcher, event)(*arguments)
