"""What every device has to offer, and what it is asked."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, TypedDict

from archlab.errors import BadInput, RunFailed, nearest
from archlab.evaluation.latency import Latency
from archlab.latency.lock import DeviceLock, unlocked
from archlab.latency.network import Network
from archlab.progress import Progress

Precision = Literal["fp32", "fp16", "int8"]
AttentionForm = Literal["plain", "split_einsum", "split_einsum_v2"]

PRECISIONS = ("fp32", "fp16", "int8")
ATTENTION_FORMS = ("plain", "split_einsum", "split_einsum_v2")


class DeviceGone(RunFailed):
    """The device vanished in the middle of its work: unplugged, asleep, off the network. It may come back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to measure.

    Attributes:
        threads: CPU threads of the runtime.
        precision: ``fp32``; ``fp16`` weights; ``int8`` weights, quantised dynamically. Core ML computes in fp16 with
            fp16, in fp32 with fp32.
        compute: the unit that runs it, in the device's own words (``cpu``, ``gpu``, ``npu``; Core ML: ``all``,
            ``cpu_only``, ``cpu_and_gpu``, ``cpu_and_ne``); None for the device's default.
        attention: the form of attention that is exported; None for the device's default.
        min_runs, min_seconds: timed runs go on until both are reached.
        processes: how many processes share the runs; the samples of all are kept.
        timeout_s: the longest that one process may take to load (compile) and run.
        allow_throttled: measure although the device is hot, saves power or is otherwise slowed down.
        seed: of the random weights and inputs.

    Raises:
        BadInput: on construction, for settings that cannot be measured with.
    """

    threads: int = 1
    precision: str = "fp32"
    compute: str | None = None
    attention: str | None = None
    min_runs: int = 20
    min_seconds: float = 1.0
    processes: int = 1
    timeout_s: float = 600.0
    allow_throttled: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("threads", "processes"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name}: at least 1 is needed but got {getattr(self, name)}")
        if self.precision not in PRECISIONS:
            raise BadInput(f"precision: there is no {self.precision!r}{nearest(self.precision, PRECISIONS)}")
        if self.attention is not None and self.attention not in ATTENTION_FORMS:
            raise BadInput(f"attention: there is no {self.attention!r}{nearest(self.attention, ATTENTION_FORMS)}")
        if self.min_runs < 2:
            raise BadInput(f"min_runs: at least 2 are needed but got {self.min_runs}")
        if not 0 <= self.min_seconds < float("inf"):
            raise BadInput(f"min_seconds: must be zero or more but is {self.min_seconds}")
        if not 0 < self.timeout_s < float("inf"):
            raise BadInput(f"timeout_s: must be positive but is {self.timeout_s}")


class Options(TypedDict, total=False):
    """`Settings` by name."""

    threads: int
    precision: str
    compute: str | None
    attention: str | None
    min_runs: int
    min_seconds: float
    processes: int
    timeout_s: float
    allow_throttled: bool
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStatus:
    """Whether a device can be measured on from here.

    Attributes:
        name: what ``--device`` and the YAML call it.
        about: what is measured, in one line.
        missing: what is not there; empty when it is available.
        mend: the command or step that brings it; empty when there is nothing to mend.
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
    """One device. Constructing it is free; nothing heavy is imported before `measure`.

    Attributes:
        name: as it is written after ``--device``.
        resource: what must be locked while it is timed on: `archlab.latency.lock.THIS_COMPUTER` or its own name.
        compute_units: the words that `Settings.compute` may have, the default first.
        precisions: those it can measure.
        attention_forms: those it can measure, the default first.

    Empty stands for any, with no default.
    """

    @property
    def name(self) -> str: ...
    @property
    def resource(self) -> str: ...
    @property
    def compute_units(self) -> tuple[str, ...]: ...
    @property
    def precisions(self) -> tuple[str, ...]: ...
    @property
    def attention_forms(self) -> tuple[str, ...]: ...

    def status(self) -> DeviceStatus:
        """Whether it can be measured on from here. Takes a few seconds at most and never raises."""
        ...

    def versions(self) -> Mapping[str, str]:
        """What, besides network and settings, decides the number: runtime, converter, chip, operating system.

        May ask the device, and raises as `measure` does.
        """
        ...

    def measure(self, network: Network, settings: Settings, progress: Progress, lock: DeviceLock = unlocked) -> Latency:
        """Convert and time a network.

        Args:
            settings: complete: compute unit and attention form are chosen.
            progress: hears of the stages ``convert``, ``measure`` and ``wait``.
            lock: is held for `resource` while the device is timed on, and not while the network is converted.

        Raises:
            MissingExtra: an optional dependency is not installed.
            BadInput: the device is not there, refuses the key, or is throttled.
            DeviceGone: it vanished in mid-measurement.
            RunFailed: it cannot be converted or run, or its output differs from torch's.
        """
        ...


def completed(settings: Settings, chosen: Runner) -> Settings:
    """The settings with the device's compute unit and attention form where none are asked for.

    Raises:
        BadInput: the device cannot measure with them.
    """
    complete = replace(
        settings,
        compute=settings.compute or next(iter(chosen.compute_units), None),
        attention=settings.attention or next(iter(chosen.attention_forms), None),
    )
    for name, value, valid in (
        ("precision", complete.precision, chosen.precisions),
        ("compute", complete.compute, chosen.compute_units),
        ("attention", complete.attention, chosen.attention_forms),
    ):
        if valid and value not in valid:
            raise BadInput(f"{name}: {chosen.name!r} has no {value!r}{nearest(str(value), valid)}")
    return complete


def circumstances(device: str, network: Network, settings: Settings, versions: Mapping[str, str]) -> dict[str, Any]:
    """The provenance that every measurement made just now has; a runner adds its own."""
    return {
        "device": device,
        "kind": "measured",
        "cached": False,
        **versions,
        "threads": settings.threads,
        "precision": settings.precision,
        "compute": settings.compute,
        "attention": settings.attention,
        "processes": settings.processes,
        "min_runs": settings.min_runs,
        "min_seconds": settings.min_seconds,
        "allow_throttled": settings.allow_throttled,
        "seed": settings.seed,
        "weights": "random",
        "architecture": network.id,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
