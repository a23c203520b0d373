"""What every device has to offer, and what it is asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from archlab.architecture import UNetSpec
from archlab.errors import BadInput, nearest
from archlab.latency.measurement import Latency

Progress = Callable[[str, float], None]

PRECISIONS = ("fp32",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to measure.

    Attributes:
        threads: CPU threads of the runtime.
        precision: what the converted file computes in.
        min_runs, min_seconds: timed runs go on until both are reached.
        seed: of the random weights and inputs.

    Raises:
        BadInput: on construction, for settings that cannot be measured with.
    """

    threads: int = 1
    precision: str = "fp32"
    min_runs: int = 20
    min_seconds: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise BadInput(f"threads: at least 1 is needed but got {self.threads}")
        if self.precision not in PRECISIONS:
            raise BadInput(f"precision: there is no {self.precision!r}{nearest(self.precision, PRECISIONS)}")
        if self.min_runs < 2:
            raise BadInput(f"min_runs: at least 2 are needed but got {self.min_runs}")
        if not 0 <= self.min_seconds < float("inf"):
            raise BadInput(f"min_seconds: must be zero or more but is {self.min_seconds}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStatus:
    """Whether a device can be measured on from here.

    Attributes:
        name: what ``--device`` and the YAML call it.
        about: what is measured, in one line.
        missing: what is not there; empty when it is available.
        mend: the command that brings it; empty when there is nothing to mend.
    """

    name: str
    about: str
    missing: str = ""
    mend: str = ""

    @property
    def available(self) -> bool:
        """Nothing is missing."""
        return not self.missing


class Runner(Protocol):
    """One device. Constructing it is free; nothing heavy is imported before `measure`."""

    def status(self) -> DeviceStatus:
        """Whether it can be measured on from here."""
        ...

    def versions(self) -> Mapping[str, str]:
        """What, besides spec and settings, decides the number: runtime, converter, machine."""
        ...

    def measure(self, spec: UNetSpec, settings: Settings, progress: Progress) -> Latency:
        """Convert and time ``spec.deployed``.

        Raises:
            MissingExtra: an optional dependency is not installed.
            RunFailed: it cannot be converted or run, or its output differs from torch's.
        """
        ...
