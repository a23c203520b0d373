"""Who is told what a running study does: a live display, a mirror to W&B."""

from typing import Any, Protocol

from archlab.study.record import Record
from archlab.study.study import Study


class Watcher(Protocol):
    """Hears of a study's progress. All calls come from the driver, in order."""

    def study_started(self, study: Study) -> None:
        """The driver holds the study; ``study`` has the trials that earlier runs finished."""

    def trial_started(self, number: int | None, knobs: dict[str, Any]) -> None:
        """A trial, or the baseline (``number`` None), is being evaluated."""

    def progress(self, stage: str, done: float) -> None:
        """The running trial's stage of work is done to this share."""

    def trial_finished(self, record: Record) -> None:
        """The trial's record is on disk and told."""
