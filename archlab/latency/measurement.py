"""A measured latency: samples, their statistics, and where they come from."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from archlab.errors import RunFailed

CLOCK_RESOLUTION_MS = 1e-3  # benchmark_model counts whole microseconds


class NoMeasurement(RunFailed, ValueError):
    """What a device reports cannot have been measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long one forward pass takes on a device.

    Attributes:
        samples_ms: every timed run after warm-up, in the order of execution.
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

    samples_ms: tuple[float, ...]
    load_ms: float
    first_run_ms: float | None
    peak_memory_mb: float | None
    model_mb: float
    partitions: int | None
    accelerated_share: float | None
    parity_max_abs: float | None
    provenance: Mapping[str, Any]

    def __post_init__(self) -> None:
        if len(self.samples_ms) < 2:
            raise NoMeasurement(f"samples_ms: at least 2 runs are needed but there are {len(self.samples_ms)}")
        positive = {name: value for name in _POSITIVE if (value := getattr(self, name)) is not None}
        positive |= {f"samples_ms[{index}]": value for index, value in enumerate(self.samples_ms)}
        for name, value in positive.items():
            if not (math.isfinite(value) and value > 0):
                raise NoMeasurement(f"{name}: must be a positive number but is {value}")
        if (least := min(self.samples_ms)) < CLOCK_RESOLUTION_MS:
            raise NoMeasurement(f"samples_ms: {least} ms is too short for a clock to tell; a unit may be mistaken")
        if self.parity_max_abs is not None and not 0 <= self.parity_max_abs < math.inf:
            raise NoMeasurement(f"parity_max_abs: must be zero or more but is {self.parity_max_abs}")
        if self.accelerated_share is not None and not 0 <= self.accelerated_share <= 1:
            raise NoMeasurement(f"accelerated_share: must be from 0 to 1 but is {self.accelerated_share}")
        if self.partitions is not None and self.partitions < 0:
            raise NoMeasurement(f"partitions: must be zero or more but is {self.partitions}")

    @property
    def median_ms(self) -> float:
        """Half of the runs took at most this long."""
        return median(self.samples_ms)

    @property
    def p90_ms(self) -> float:
        """Nine of ten runs took at most this long."""
        return percentile(self.samples_ms, 90)

    @property
    def spread(self) -> float:
        """Half the distance between the quartiles, as a share of the median."""
        low, high = (percentile(self.samples_ms, percent) for percent in (25, 75))
        return (high - low) / 2 / self.median_ms

    @property
    def runs(self) -> int:
        """How many timed runs there are."""
        return len(self.samples_ms)

    def to_dict(self) -> dict[str, Any]:
        """Statistics first, then everything they come from."""
        return {
            "median_ms": self.median_ms,
            "p90_ms": self.p90_ms,
            "spread": self.spread,
            "runs": self.runs,
            "load_ms": self.load_ms,
            "first_run_ms": self.first_run_ms,
            "peak_memory_mb": self.peak_memory_mb,
            "model_mb": self.model_mb,
            "partitions": self.partitions,
            "accelerated_share": self.accelerated_share,
            "parity_max_abs": self.parity_max_abs,
            "samples_ms": list(self.samples_ms),
            "provenance": dict(self.provenance),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Latency":
        """The inverse of `to_dict`; statistics are computed again.

        Raises:
            KeyError, TypeError, NoMeasurement: something is absent, of another kind, or no measurement.
        """
        fields = {name: data[name] for name in (*_POSITIVE, *_OTHERS)}
        return cls(samples_ms=tuple(data["samples_ms"]), **fields)


_POSITIVE = ("load_ms", "first_run_ms", "peak_memory_mb", "model_mb")
_OTHERS = ("partitions", "accelerated_share", "parity_max_abs", "provenance")


def percentile(values: Iterable[float], percent: float) -> float:
    """The percentile with linear interpolation between the two nearest ranks (numpy's default)."""
    ordered = sorted(values)
    rank = (len(ordered) - 1) * percent / 100
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)
