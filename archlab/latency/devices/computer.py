"""This computer: what it is, and how it was while something was timed."""

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

_IDLE_THREADS = 0.2  # that a computer left alone uses


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """This computer at one moment; what the system does not tell is None."""

    seconds: float
    busy_cpu_seconds: float
    load_average: float
    cpu_mhz: float | None
    cpu_governor: str | None
    power: str | None


def identity() -> dict[str, str]:
    """Operating system, host and processor, as they stand in a measurement's provenance."""
    return {"os": platform.platform(), "host": platform.node(), "chip": processor_name()}


def state() -> State:
    """Ask the system."""
    times = psutil.cpu_times()
    waiting = times.idle + getattr(times, "iowait", 0.0)
    counted_twice = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # Linux: in user and nice too
    frequency = psutil.cpu_freq() if hasattr(psutil, "cpu_freq") else None
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    return State(
        seconds=time.monotonic(),
        busy_cpu_seconds=sum(times) - waiting - counted_twice,
        load_average=round(psutil.getloadavg()[0], 2),
        cpu_mhz=frequency.current if frequency else None,
        cpu_governor=_governor(),
        power=None if battery is None else "mains" if battery.power_plugged else "battery",
    )


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """This computer between two moments, while something was timed that took ``own_cpu_seconds`` of processors.

    How often it was disturbed the timed runs tell, see `archlab.bursts`; here is what they cannot tell.
    """

    before: State
    after: State
    own_cpu_seconds: float

    @property
    def slowed(self) -> str | None:
        """Why all times may be longer than they should be, as long as they are taken here; None where nothing is."""
        if self.after.power == "battery":
            return "it runs on battery"
        if self.after.cpu_governor == "powersave":
            return "the governor saves power"
        return None

    @property
    def shared_cores(self) -> str | None:
        """Others' threads beside ours on the same cores, which slow it down though it never waits; None without."""
        logical = os.cpu_count() or 1
        if (psutil.cpu_count(logical=False) or logical) == logical:
            return None
        seconds = self.after.seconds - self.before.seconds
        busy = (self.after.busy_cpu_seconds - self.before.busy_cpu_seconds) / seconds
        others = busy - self.own_cpu_seconds / seconds
        if others < _IDLE_THREADS or busy < logical - _IDLE_THREADS:
            return None
        return f"other programs kept {others:.1f} of {logical} hardware threads busy"

    @property
    def told(self) -> dict[str, Any]:
        """For a measurement's provenance."""
        return {
            "load_average": [self.before.load_average, self.after.load_average],
            "cpu_mhz": [self.before.cpu_mhz, self.after.cpu_mhz],
            "cpu_governor": self.after.cpu_governor,
            "power": self.after.power,
        }


def _governor() -> str | None:
    """With Intel's and AMD's own drivers ``powersave`` is the common one and saves next to nothing: named so."""
    folder = Path("/sys/devices/system/cpu/cpu0/cpufreq")
    found = [folder / name for name in ("scaling_governor", "scaling_driver")]
    if not all(path.exists() for path in found):
        return None
    governor, driver = (path.read_text(encoding="ascii").strip() for path in found)
    return f"{governor} ({driver})" if "pstate" in driver else governor


def processor_name() -> str:
    """The processor's own name where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
