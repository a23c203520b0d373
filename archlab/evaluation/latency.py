"""A latency, measured or estimated, with where it comes from."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from statistics import median
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import ConfigDict, Discriminator, Tag, computed_field

from archlab.errors import RunFailed, shown
from archlab.evaluation.fact import COMPUTED, STRICT, Whole
from archlab.evaluation.shown_latency import ShownLatency

CLOCK_RESOLUTION_MS = 1e-4  # a few hundred ticks of a processor; the smallest piece of a network takes a microsecond
LatencyKind = Literal["measured", "estimated", "replayed"]
KINDS: tuple[LatencyKind, ...] = get_args(LatencyKind)
Provenance = dict[str, Any]


class NoMeasurement(RunFailed, ValueError):
    """What a device reports cannot have been measured."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Latency(ShownLatency):
    """How long one forward pass takes on a device, as it was measured.

    Attributes:
        samples_ms: every timed run after warm-up that counts, in the order of execution.
        bursts: how many of the samples each burst has, in order. The runs of a burst follow on each other; between two
            bursts something else may have run.
        left_out: runs that do not count, because something disturbed their burst.
        noise: why the times cannot be trusted, in one line; None where it was quiet.
        load_ms: from opening the file to being ready to run, compilation included.
        first_run_ms: the very first run, before warm-up; None where the device does not tell.
        peak_memory_mb: most resident memory of the process that ran it, Python included; 1 MB is 10⁶ bytes.
        model_mb: size of the converted file.
        partitions: pieces that the runtime handed to its accelerated kernels.
        accelerated_share: share of the operations that ran on the unit asked for (delegate, Neural Engine), 0 to 1.
        parity_max_abs: largest absolute difference of its output from torch's.
        provenance: device, kind (measured, replayed), chip, os, runtime, versions, threads, precision, compute,
            attention, architecture, time, …

    What a device does not tell is None, never 0.

    Raises:
        NoMeasurement: on construction, for a number that no measurement can give.
    """

    __pydantic_config__: ClassVar[ConfigDict] = COMPUTED

    samples_ms: tuple[float, ...]
    bursts: tuple[Whole, ...]
    left_out: Whole
    noise: str | None
    load_ms: float
    first_run_ms: float | None
    peak_memory_mb: float | None
    model_mb: float
    partitions: Whole | None
    accelerated_share: float | None
    parity_max_abs: float | None
    provenance: Provenance

    def __post_init__(self) -> None:
        if len(self.samples_ms) < 2:
            raise NoMeasurement(f"samples_ms: at least 2 runs are needed but there are {len(self.samples_ms)}")
        names = ("load_ms", "first_run_ms", "peak_memory_mb", "model_mb")
        positive = {name: value for name in names if (value := getattr(self, name)) is not None}
        positive |= {f"samples_ms[{index}]": value for index, value in enumerate(self.samples_ms)}
        for name, value in positive.items():
            if not (math.isfinite(value) and value > 0):
                raise NoMeasurement(f"{name}: must be a positive number but is {value}")
        if (least := min(self.samples_ms)) < CLOCK_RESOLUTION_MS:
            raise NoMeasurement(f"samples_ms: {least} ms is too short for a clock to tell; a unit may be mistaken")
        if min(self.bursts, default=0) < 1 or sum(self.bursts) != len(self.samples_ms):
            raise NoMeasurement(f"bursts: must share {len(self.samples_ms)} runs among them but are {self.bursts}")
        if self.left_out < 0:
            raise NoMeasurement(f"left_out: must be zero or more but is {self.left_out}")
        if self.noise is not None and not self.noise:
            raise NoMeasurement("noise: must be a reason, or null where it was quiet, but is empty")
        if self.parity_max_abs is not None and not 0 <= self.parity_max_abs < math.inf:
            raise NoMeasurement(f"parity_max_abs: must be zero or more but is {self.parity_max_abs}")
        if self.accelerated_share is not None and not 0 <= self.accelerated_share <= 1:
            raise NoMeasurement(f"accelerated_share: must be from 0 to 1 but is {self.accelerated_share}")
        if self.partitions is not None and self.partitions < 0:
            raise NoMeasurement(f"partitions: must be zero or more but is {self.partitions}")
        kind_of(self.provenance)

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated property
    @property
    def median_ms(self) -> float:
        """Half of the runs took at most this long."""
        return median(self.samples_ms)

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated property
    @property
    def p90_ms(self) -> float:
        """Nine of ten runs took at most this long."""
        return percentile(self.samples_ms, 90)

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated property
    @property
    def minimum_ms(self) -> float:
        """The least median of a burst: what disturbs a burst only adds to it."""
        return min(self._burst_medians_ms)

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated property
    @property
    def low_ms(self) -> float:
        """Lower end of the 95 % interval of the median; see `_interval_of_median`.

        It is of the medians of bursts, as runs of one burst resemble each other; of the runs where there is one burst.
        It is about this measurement; another process, another day can lie beyond it.
        """
        return min(_interval_of_median(self._independent_ms)[0], self.median_ms)

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated property
    @property
    def high_ms(self) -> float:
        """Upper end of the interval; see `low_ms`."""
        return max(_interval_of_median(self._independent_ms)[1], self.median_ms)

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated property
    @property
    def noisy(self) -> bool:
        """Whether its times cannot be trusted."""
        return self.noise is not None

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated property
    @property
    def spread(self) -> float:
        """Half the distance between the quartiles, as a share of the median."""
        low, high = (percentile(self.samples_ms, percent) for percent in (25, 75))
        return (high - low) / 2 / self.median_ms

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated property
    @property
    def runs(self) -> int:
        """How many timed runs there are."""
        return len(self.samples_ms)

    @property
    def kind(self) -> LatencyKind:
        """How it came about: ``measured`` or ``replayed``."""
        return kind_of(self.provenance)

    @property
    def _burst_medians_ms(self) -> list[float]:
        ends = list(accumulate(self.bursts))
        return [median(self.samples_ms[end - runs : end]) for end, runs in zip(ends, self.bursts, strict=True)]

    @property
    def _independent_ms(self) -> Sequence[float]:
        return self.samples_ms if len(self.bursts) == 1 else self._burst_medians_ms


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Estimate(ShownLatency):
    """A latency that was not measured.

    Attributes:
        median_ms: the estimate of what `Latency.median_ms` would be.
        low_ms, high_ms: the band; provenance says which.
        not_measured: why the device, which should have measured it, did not; None where nothing was asked of it.
        provenance: device, kind (estimated), table, band, settings, versions, architecture, time of the table.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    median_ms: float
    low_ms: float
    high_ms: float
    not_measured: str | None = None
    provenance: Provenance

    def __post_init__(self) -> None:
        kind_of(self.provenance)

    @property
    def kind(self) -> LatencyKind:
        """How it came about: ``estimated``."""
        return kind_of(self.provenance)

    @property
    def noisy(self) -> bool:
        """A table is not disturbed."""
        return False

    @property
    def p90_ms(self) -> None:
        """There are no runs to tell it from."""
        return None

    @property
    def peak_memory_mb(self) -> None:
        """A table does not estimate it."""
        return None

    @property
    def model_mb(self) -> None:
        """A table does not estimate it."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Confirmed(ShownLatency):
    """A latency that was measured side by side with the baseline's, see `archlab.evaluation.Confirmation`.

    Attributes:
        median_ms: its ratio to the baseline's latency of the same rounds, times the baseline's median over all rounds.
        low_ms, high_ms: the ratio's 95 % interval, likewise.
        rounds: how many rounds that is of.
        noise: why it cannot be trusted, in one line; None where it was quiet.
        p90_ms, peak_memory_mb, model_mb: of the single measurement before.
        provenance: of the measurement of the baseline in the last round.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    median_ms: float
    low_ms: float
    high_ms: float
    rounds: Whole
    noise: str | None
    p90_ms: float | None
    peak_memory_mb: float | None
    model_mb: float | None
    provenance: Provenance

    @property
    def kind(self) -> LatencyKind:
        """How it came about: ``measured``."""
        return kind_of(self.provenance)

    @property
    def noisy(self) -> bool:
        """Whether it cannot be trusted."""
        return self.noise is not None


def _which(value: Any) -> str:
    if isinstance(value, dict):
        if "rounds" in value:
            return "confirmed"
        return "estimate" if "low_ms" in value and "samples_ms" not in value else "latency"
    return {Confirmed: "confirmed", Estimate: "estimate"}.get(type(value), "latency")


AnyLatency = Annotated[
    Annotated[Latency, Tag("latency")] | Annotated[Estimate, Tag("estimate")] | Annotated[Confirmed, Tag("confirmed")],
    Discriminator(_which),
]


def kind_of(provenance: Provenance) -> LatencyKind:
    """How a latency came about.

    Raises:
        NoMeasurement: the provenance does not say it.
    """
    for kind in KINDS:
        if provenance.get("kind") == kind:
            return kind
    raise NoMeasurement(f"provenance.kind: must be one of {', '.join(KINDS)}, not {shown(provenance.get('kind'))}")


def _interval_of_median(values: Sequence[float]) -> tuple[float, float]:
    """Distribution-free 95 % interval of the median of independent values, by order statistics.

    The k-th least and the k-th largest value (David & Nagaraja, Order Statistics, section 7.1); the extremes where
    there are fewer than six values.
    """
    ordered = sorted(values)
    rank = _rank_of_interval(len(ordered))
    return ordered[rank], ordered[-1 - rank]


@lru_cache
def _rank_of_interval(count: int) -> int:
    """The largest k, counted from 0, with which at most 5 % of intervals miss the median: binomial."""
    rank, ways, missed = -1, 1, 1  # of the 2ⁿ ways to lie below or above the median
    while 2 * missed * 20 <= 2**count:
        rank += 1
        ways = ways * (count - rank) // (rank + 1)
        missed += ways
    return max(rank, 0)


def percentile(values: Iterable[float], percent: float) -> float:
    """The percentile with linear interpolation between the two nearest ranks (numpy's default)."""
    ordered = sorted(values)
    rank = (len(ordered) - 1) * percent / 100
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)
