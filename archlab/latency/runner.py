"""What every device offers: its settings, its status and its measurement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, runtime_checkable

from archlab.errors import BadInput, RunFailed, nearest, shown
from archlab.evaluation.latency import Latency
from archlab.latency.lock import DeviceLock, unlocked
from archlab.latency.network import Network
from archlab.latency.settings import Settings
from archlab.progress import Progress


class DeviceGone(RunFailed):
    """The device vanished in the middle of its work: unplugged, asleep, off the network. It may come back."""


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

    def versions(self, settings: Settings) -> Mapping[str, str]:
        """What, besides network and settings, decides the number: runtime, converter, chip, operating system.

        Of what the settings choose, the converter, it has the version.

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


@runtime_checkable
class GroupRunner(Runner, Protocol):
    """A device that times several networks in one process: cheaper, where they are small."""

    def measure_group(
        self, networks: Sequence[Network], settings: Settings, progress: Progress, lock: DeviceLock = unlocked
    ) -> list[Latency]:
        """Convert them, then time one after the other; of more than one, ``peak_memory_mb`` is None.

        Raises:
            As `measure` does.
        """
        ...


def completed(settings: Settings, chosen: Runner) -> Settings:
    """The settings with the device's compute unit and attention form where none are asked for.

    Raises:
        BadInput: the device cannot measure with them.
    """
    complete = settings.model_copy(
        update={
            "compute": settings.compute or next(iter(chosen.compute_units), None),
            "attention": settings.attention or next(iter(chosen.attention_forms), None),
        }
    )
    for name, value, valid in (
        ("precision", complete.precision, chosen.precisions),
        ("compute", complete.compute, chosen.compute_units),
        ("attention", complete.attention, chosen.attention_forms),
    ):
        if valid and value not in valid:
            raise BadInput(f"{name}: {shown(chosen.name)} has no {shown(value)}{nearest(str(value), valid)}")
    return complete


def circumstances(device: str, network: Network, settings: Settings, versions: Mapping[str, str]) -> dict[str, Any]:
    """The provenance that every measurement made just now has; a runner adds its own."""
    return {
        "device": device,
        "kind": "measured",
        "cached": False,
        **versions,
        **settings.model_dump(exclude={"timeout_s"}),
        "weights": "random",
        "architecture": network.id,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
