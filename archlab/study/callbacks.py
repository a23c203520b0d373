"""What an evaluation reports, asks and locks while it is under way."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from archlab.evaluation import Evaluation
from archlab.latency.lock import DeviceLock, unlocked
from archlab.latency.measure import Doubt, trusting
from archlab.progress import Progress, silent


class GoesOn(Protocol):
    """Asked after every rung but the last."""

    def __call__(self, rung: int, qualities: Sequence[float], known: Evaluation | None = None, /) -> bool:
        """Whether to go on training.

        Args:
            rung: optimiser steps so far.
            qualities: each seed's.
            known: cost and latency; None where nothing was measured.
        """


def always(rung: int, qualities: Sequence[float], known: Evaluation | None = None, /) -> bool:
    """Stops nothing."""
    return True


@dataclass(frozen=True, kw_only=True)
class Callbacks:
    """What an executor hands to `archlab.study.evaluate.evaluate`.

    Attributes:
        progress: hears of every stage of the evaluation.
        goes_on: says after a rung whether to go on training.
        lock: gives exclusive use of a device while it is timed on.
        doubt: why a latency is measured once more before it is believed, see `archlab.latency.measure`.
    """

    progress: Progress = silent
    goes_on: GoesOn = always
    lock: DeviceLock = unlocked
    doubt: Doubt = trusting
