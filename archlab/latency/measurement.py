"""A measured latency: samples, their statistics, and where they come from."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long one forward pass takes on a device.

    Attributes:
        samples_ms: every timed run after warm-up, in the order of execution.
        load_ms: from opening the file to being ready to run.
        first_run_ms: the very first run, before warm-up.
        peak_memory_mb: most resident memory of the process that ran it, Python included; 1 MB is 10⁶ bytes.
        model_mb: size of the converted file.
        partitions: pieces that the runtime handed to its accelerated kernels; None where it does not tell.
        parity_max_abs: largest absolute difference of its output from torch's.
        provenance: device, kind (measured), runtime, versions, threads, precision, architecture, time, …

    Raises:
        ValueError: a number that no measurement can give.
    """

    samples_ms: tuple[float, ...]
    load_ms: float
    first_run_ms: float
    peak_memory_mb: float
    model_mb: float
    partitions: int | None
    parity_max_abs: float
    provenance: Mapping[str, Any]

    def __post_init__(self) -> None:
        if len(self.samples_ms) < 2:
            raise ValueError(f"samples_ms: at least 2 runs are needed but there are {len(self.samples_ms)}")
        positive = {name: getattr(self, name) for name in _POSITIVE}
        positive |= {f"samples_ms[{index}]": value for index, value in enumerate(self.samples_ms)}
        for name, value in positive.items():
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name}: must be a positive number but is {value}")
        if not (math.isfinite(self.parity_max_abs) and self.parity_max_abs >= 0):
            raise ValueError(f"parity_max_abs: must be zero or more but is {self.parity_max_abs}")
        if self.partitions is not None and self.partitions < 0:
            raise ValueError(f"partitions: must be zero or more but is {self.partitions}")

    @property
    def median_ms(self) -> float:
        """Half of the runs took at most this long."""
        return median(self.samples_ms)

    @property
    def p90_ms(self) -> float:
        """Nine of ten runs took at most this long."""
        return percentile(self.samples_ms, 90)

    @property
    def runs(self) -> int:
        """How many timed runs there are."""
        return len(self.samples_ms)

    def to_dict(self) -> dict[str, Any]:
        """Statistics first, then everything they come from."""
        return {
            "median_ms": self.median_ms,
            "p90_ms": self.p90_ms,
            "runs": self.runs,
            "load_ms": self.load_ms,
            "first_run_ms": self.first_run_ms,
            "peak_memory_mb": self.peak_memory_mb,
            "model_mb": self.model_mb,
            "partitions": self.partitions,
            "parity_max_abs": self.parity_max_abs,
            "samples_ms": list(self.samples_ms),
            "provenance": dict(self.provenance),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Latency":
        """The inverse of `to_dict`; statistics are computed again.

        Raises:
            KeyError, ValueError: something is absent or no measurement.
        """
        fields = {name: data[name] for name in (*_POSITIVE, "partitions", "parity_max_abs", "provenance")}
        return cls(samples_ms=tuple(data["samples_ms"]), **fields)


_POSITIVE = ("load_ms", "first_run_ms", "peak_memory_mb", "model_mb")


def percentile(values: Iterable[float], percent: float) -> float:
    """The percentile with linear interpolation between the two nearest ranks (numpy's default)."""
    ordered = sorted(values)
    rank = (len(ordered) - 1) * percent / 100
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)
