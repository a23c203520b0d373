"""A study's finished trials as its driver needs them: found without a search, counted as they come."""

from collections import Counter, deque
from collections.abc import Container, Iterable
from itertools import takewhile
from statistics import median

from archlab.evaluation import Evaluation, Record, pooled
from archlab.evaluation.measures import direction, find_column, minimised
from archlab.latency.plausibility import MOST_OTHERS, Measured
from archlab.study.file import StudyFile

_SAID_AFTER = 30  # trials, of which
_NEARLY_ALL = 0.9  # were gated
_WORDS = {
    "minimize": ("over", "more", "allowed", "raise", "cheaper"),
    "maximize": ("under", "less", "needed", "lower", "better"),
}


class FinishedTrials:
    """Finished trials in the order in which the driver heard of them.

    As a container it has the content hashes of the architectures that need no evaluation any more.

    Attributes:
        trials: each by its number.
        counted: how many use up one of the study's trials.
        points: the objectives of each distinct architecture, every one minimised; None for one without scores.
        measured: by the name of the device, what the latest architectures took that were measured without noise.
    """

    def __init__(self, settings: StudyFile, records: Iterable[Record]) -> None:
        self.settings = settings
        self.counted = 0
        self.points: list[tuple[float, ...] | None] = []
        self.trials: dict[int, Record] = {}
        self.measured: dict[str, deque[Measured]] = {}
        self._twins: dict[str, Record] = {}
        for record in records:
            self.add(record)

    def __contains__(self, architecture: object) -> bool:
        return architecture in self._twins

    @property
    def records(self) -> list[Record]:
        """All of them, by number."""
        return [self.trials[number] for number in sorted(self.trials)]

    def news(self, seen: Container[int]) -> list[int]:
        """What was finished after those that were seen, the latest first."""
        return [*takewhile(lambda number: number not in seen, reversed(self.trials))]

    def add(self, record: Record) -> None:
        """One more finished trial."""
        self.trials[record.trial] = record
        self.counted += record.counts
        if record.is_distinct:
            self.points.append(self._point(record))
            if record.architecture not in self._twins:
                self._twins[record.architecture] = record
                self._note_measured(record.evaluation)
        elif twin := self._twins.get(record.architecture):
            self._twins[record.architecture] = pooled((twin, record))[0]

    def twin(self, architecture: str) -> Record | None:
        """The trial that evaluated the architecture, with the scores of all its seeds."""
        return self._twins.get(architecture)

    def without_news(self) -> int:
        """How many of the last trials in a row brought nothing new."""
        return sum(1 for _ in takewhile(lambda record: not record.is_distinct, reversed(self.trials.values())))

    def last_failures(self) -> list[Record]:
        """Those of the last trials in a row that failed, the latest first."""
        counting = (record for record in reversed(self.trials.values()) if record.is_distinct)
        return list(takewhile(lambda record: record.evaluation.status == "failed", counting))

    def warning(self, limits: dict[str, float]) -> str | None:
        """Which limit is at fault if nearly all of the first trials were over one; said once, when they are known."""
        if len(self.points) != _SAID_AFTER:
            return None
        first = [record for record in self.records if record.is_distinct]
        gated = [record for record in first if record.evaluation.gate]
        if len(gated) < _NEARLY_ALL * len(first):
            return None
        gate, number = Counter(str(record.evaluation.gate) for record in gated).most_common(1)[0]
        values = median(value for record in gated if (value := record.evaluation.value(gate)) is not None)
        over, more, allowed, raised, cheaper = _WORDS[direction(gate)]
        column = find_column(gate)
        limit = f"constraints.{column.measure.name if column else gate}"
        return (
            f"of the first {len(first)} trials, {number} were {over} the limit on {gate}: half of them {values:.4g} or "
            f"{more} where {limits[gate]:.4g} is {allowed}; {raised} {limit}, or give the knobs {cheaper} values"
        )

    def point(self, evaluation: Evaluation) -> tuple[float, ...] | None:
        """The objectives, every one minimised; None where one is not known."""
        return minimised({name: evaluation.value(name) for name in self.settings.objectives})

    def _note_measured(self, evaluation: Evaluation) -> None:
        for device, latency in evaluation.latency.items():
            if latency.kind == "measured" and not latency.noisy and evaluation.macs_g is not None:
                latest = self.measured.setdefault(device, deque(maxlen=MOST_OTHERS))
                latest.append(Measured(evaluation.macs_g, latency.median_ms))

    def _point(self, record: Record) -> tuple[float, ...] | None:
        if record.evaluation.status != "complete":
            return None
        return self.point(record.evaluation)
