"""What hears of a running study: a live display, a mirror to W&B."""

from typing import TYPE_CHECKING, Any

from archlab.evaluation import Record
from archlab.study.study import Study

if TYPE_CHECKING:
    from archlab.study.surrogate import Gain


class Watcher:
    """Hears of a study's progress, one call at a time; one that does not care for something does not define it."""

    def study_started(self, study: Study) -> None:
        """The driver holds the study; ``study`` has the trials that earlier runs finished."""

    def trial_started(self, number: int | None, knobs: dict[str, Any]) -> None:
        """A trial, or the baseline (``number`` None), is being evaluated; several may be under way."""

    def progress(self, number: int | None, stage: str, done: float) -> None:
        """That trial's stage of work is done to this share."""

    def trial_paused(self, number: int, rung: int, quality: float) -> None:
        """The trial's training is paused after this many steps, with this quality; it may be resumed later."""

    def trial_resumed(self, number: int, until: int) -> None:
        """The trial's paused training is resumed, up to this many steps."""

    def trial_finished(self, record: Record) -> None:
        """The trial's record is on disk and told."""

    def trial_learned(self, record: Record) -> None:
        """Another driver of the study finished the trial."""

    def gain_expected(self, gain: "Gain | None") -> None:
        """By how much of itself the hypervolume is expected to grow in a further hour; told with every choice of a
        surrogate. None where that is not known, or the study may begin no further architecture."""

    def confirming(self, device: str, done: float) -> None:
        """What is on or near the front is measured side by side on the device; this share of it is done."""

    def notice(self, line: str) -> None:
        """Something that the user should know: why it pauses, which limit nearly everything is over."""
