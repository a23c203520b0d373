"""Latencies measured side by side: what a study's front is decided by, as it stands in ``confirmation.json``."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Annotated, ClassVar, NamedTuple

from pydantic import ConfigDict, Field

from archlab.evaluation.fact import STRICT
from archlab.evaluation.latency import CLOCK_RESOLUTION_MS, AnyLatency, Confirmed, NoMeasurement, Provenance, kind_of

LEAST_ROUNDS, MOST_ROUNDS = 3, 10
HOPELESS_ROUNDS = 5  # without a quiet one among them there is no point in more
PRECISE = 0.03  # half the width of an interval, as a share: narrow enough to measure no further
NOISY = 0.05  # likewise: too wide to be trusted, after the most rounds

_LEVEL = 0.95
_LONGEST_MS = 1e9  # more than eleven days


class Ratio(NamedTuple):
    """A ratio with both ends of its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Of the interval, as a share of the value."""
        return math.sqrt(self.high / self.low) - 1 if self.low > 0 else math.inf


@dataclass(frozen=True)
class Timing:
    """A network's latency in one round.

    Attributes:
        ms: the median of the runs.
        noise: why it cannot be trusted; None where it was quiet.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    ms: Annotated[float, Field(ge=CLOCK_RESOLUTION_MS, le=_LONGEST_MS)]
    noise: str | None = None


Round = Mapping[str, Timing]


@dataclass(frozen=True, kw_only=True)
class SideBySide:
    """Latencies on one device, measured in rounds: in each the baseline and some others, in random order.

    What changes from round to round, a clock that falls, a phone that warms up, changes both parts of a ratio. Rounds
    in which one of the two was noisy are left out where at least `LEAST_ROUNDS` others are there.

    Attributes:
        baseline: its content hash.
        rounds: by round, timings by content hash.
        given_up: architectures that stayed noisy; where the baseline did, nothing more is measured.
        failed: by content hash, why the device could not measure the architecture again.
        not_measured: why the device could measure nothing again; None where it could.
        provenance: of the latest measurement of the baseline.

    Raises:
        NoMeasurement: on construction, for rounds without the baseline or of unknown kind.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    baseline: str
    rounds: tuple[dict[str, Timing], ...] = ()
    given_up: tuple[str, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)
    not_measured: str | None = None
    provenance: Provenance = field(default_factory=dict)

    def __post_init__(self) -> None:
        if any(self.baseline not in one for one in self.rounds):
            raise NoMeasurement(f"rounds: the baseline, {self.baseline}, must be in each")
        if self.rounds:
            kind_of(self.provenance)

    def ratio(self, architecture: str) -> Ratio:
        """Its latency as a share of the baseline's; of fewer than two rounds there is no finite interval."""
        counted = self._counted(architecture)
        return geometric_mean([own.ms / baseline.ms for own, baseline in counted])

    def baseline_ms(self) -> Ratio:
        """The baseline's median over the rounds, and an interval of how it changes between them."""
        values = [own.ms for own, _ in self._counted(self.baseline)]
        middle, interval = median(values), geometric_mean(values)
        return Ratio(middle, min(interval.low, middle), max(interval.high, middle))

    def seen(self, architecture: str) -> int:
        """In how many rounds it was measured."""
        return sum(architecture in one for one in self.rounds)

    def is_known(self, architecture: str) -> bool:
        """Whether there are rounds enough to tell its ratio from."""
        return self.seen(architecture) >= LEAST_ROUNDS

    def is_settled(self, architecture: str) -> bool:
        """Whether there is nothing to be gained, or no way, to measure it further."""
        if self.not_measured is not None or self.baseline in self.given_up:
            return True
        if architecture in self.failed or architecture in self.given_up:
            return True
        return self._has_enough_quiet(architecture) and self.ratio(architecture).half_width <= PRECISE

    def noise(self, architecture: str) -> str | None:
        """Why its ratio cannot be trusted, in one line; None where it can."""
        told = dict.fromkeys(
            reason for pair in self._pairs(architecture) for timing in pair if (reason := timing.noise) is not None
        )
        because = f": {next(iter(told))}" if told else ""
        if not self._has_enough_quiet(architecture):
            return f"fewer than {LEAST_ROUNDS} of {self.seen(architecture)} rounds were quiet{because}"
        ratio = self.baseline_ms() if architecture == self.baseline else self.ratio(architecture)
        if ratio.half_width > NOISY:
            return f"known to ±{ratio.half_width:.0%} after {self.seen(architecture)} rounds{because}"
        return None

    def confirmed(self, architecture: str, known: AnyLatency) -> AnyLatency:
        """What was ``known`` of its latency, by the rounds where there are enough of them."""
        if not self.is_known(architecture):
            return known
        scale = self.baseline_ms()
        found = (
            scale if architecture == self.baseline else Ratio(*(scale.value * end for end in self.ratio(architecture)))
        )
        return Confirmed(
            median_ms=found.value,
            low_ms=found.low,
            high_ms=found.high,
            rounds=len(self._counted(architecture)),
            noise=self.noise(architecture),
            p90_ms=known.p90_ms,
            peak_memory_mb=known.peak_memory_mb,
            model_mb=known.model_mb,
            provenance=self.provenance,
        )

    def with_round(self, timings: Round, provenance: Provenance) -> "SideBySide":
        """With one round more; what is still noisy after all the rounds that it may have is given up."""
        wider = replace(self, rounds=(*self.rounds, dict(timings)), provenance=provenance)
        lost = [own for own in timings if wider._is_lost(own)]
        return replace(wider, given_up=(*wider.given_up, *lost))

    def reopened(self) -> "SideBySide":
        """For another run, which may be quieter: without what stayed noisy or failed."""
        noisy = {architecture for architecture in self.given_up if self.noise(architecture)}
        kept = [{own: timing for own, timing in one.items() if own not in noisy} for one in self.rounds]
        rounds = [one for one, before in zip(kept, self.rounds, strict=True) if len(one) > 1 or one == before]
        return replace(
            self,
            rounds=() if self.baseline in noisy else tuple(rounds),
            given_up=tuple(architecture for architecture in self.given_up if architecture not in noisy),
            failed={},
            not_measured=None,
        )

    def _is_lost(self, architecture: str) -> bool:
        """Whether it is still noisy after all the rounds that it may have."""
        rounds, quiet = self.seen(architecture), _quiet(self._pairs(architecture))
        if rounds >= HOPELESS_ROUNDS and not quiet:
            return True
        return architecture != self.baseline and rounds >= MOST_ROUNDS and not self.is_settled(architecture)

    def _pairs(self, architecture: str) -> list[tuple[Timing, Timing]]:
        """Its timings, each with the baseline's of the same round."""
        return [(one[architecture], one[self.baseline]) for one in self.rounds if architecture in one]

    def _counted(self, architecture: str) -> list[tuple[Timing, Timing]]:
        pairs = self._pairs(architecture)
        quiet = _quiet(pairs)
        return quiet if len(quiet) >= LEAST_ROUNDS else pairs

    def _has_enough_quiet(self, architecture: str) -> bool:
        return len(_quiet(self._pairs(architecture))) >= LEAST_ROUNDS


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """What was measured side by side of a study.

    Attributes:
        devices: by the name that the study gives them.
        measured_at: when the latest round was, UTC, ISO 8601; empty before the first.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    devices: dict[str, SideBySide] = field(default_factory=dict)
    measured_at: str = ""

    def latencies(self, architecture: str, known: Mapping[str, AnyLatency]) -> dict[str, AnyLatency]:
        """What was ``known`` of its latencies, by device, each by the rounds where there are enough of them."""
        return {
            name: self.devices[name].confirmed(architecture, latency) if name in self.devices else latency
            for name, latency in known.items()
        }

    def reopened(self) -> "Confirmation":
        """See `SideBySide.reopened`."""
        return replace(self, devices={name: device.reopened() for name, device in self.devices.items()})


def geometric_mean(values: Sequence[float]) -> Ratio:
    """The mean of the logarithms with Student's t interval at 95 %, as ratios; one value has no finite interval."""
    from scipy.special import stdtrit  # not needed to read a study without a confirmation

    logs = [math.log(value) for value in values]
    number = len(logs)
    middle = math.fsum(logs) / number
    if number < 2:
        return Ratio(math.exp(middle), 0.0, math.inf)
    deviation = math.sqrt(math.fsum((value - middle) ** 2 for value in logs) / (number - 1))
    reach = float(stdtrit(number - 1, (1 + _LEVEL) / 2)) * deviation / math.sqrt(number)
    return Ratio(*(math.exp(end) for end in (middle, middle - reach, middle + reach)))


def _quiet(pairs: Iterable[tuple[Timing, Timing]]) -> list[tuple[Timing, Timing]]:
    return [(own, baseline) for own, baseline in pairs if own.noise is None and baseline.noise is None]
