"""This computer: what it is, and whether it was left alone while something was timed."""

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

_IDLE_CORES = 0.2  # that a computer left alone uses
_STEADY_CLOCK = 0.9  # of the clock at the start; less at the end is a sign of throttling


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
    return {"os": platform.platform(), "host": platform.node(), "chip": _processor()}


def state() -> State:
    """Ask the system."""
    times = psutil.cpu_times()
    waiting = times.idle + getattr(times, "iowait", 0.0)
    counted_twice = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # Linux: in user and nice too
    frequency = psutil.cpu_freq() if hasattr(psutil, "cpu_freq") else None
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    governor = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    return State(
        seconds=time.monotonic(),
        busy_cpu_seconds=sum(times) - waiting - counted_twice,
        load_average=round(psutil.getloadavg()[0], 2),
        cpu_mhz=frequency.current if frequency else None,
        cpu_governor=governor.read_text(encoding="ascii").strip() if governor.exists() else None,
        power=None if battery is None else "mains" if battery.power_plugged else "battery",
    )


def conditions(before: State, after: State, own_cpu_seconds: float) -> tuple[str | None, dict[str, Any]]:
    """How this computer was between two moments.

    First why times may be longer than on a computer left alone, None where nothing speaks for it; then what stands in a
    measurement's provenance.

    Args:
        own_cpu_seconds: processor time of what was timed; the rest was used by others.
    """
    told = {
        "load_average": [before.load_average, after.load_average],
        "cpu_mhz": [before.cpu_mhz, after.cpu_mhz],
        "cpu_governor": after.cpu_governor,
        "power": after.power,
    }
    return "; ".join(_disturbances(before, after, own_cpu_seconds)) or None, told


def _disturbances(before: State, after: State, own_cpu_seconds: float) -> list[str]:
    cores = os.cpu_count() or 1
    seconds = after.seconds - before.seconds
    busy = (after.busy_cpu_seconds - before.busy_cpu_seconds) / seconds
    others = busy - own_cpu_seconds / seconds
    found = []
    if others > _IDLE_CORES and busy > cores - _IDLE_CORES:
        found.append(f"other programs kept {others:.1f} of {cores} cores busy")
    if before.cpu_mhz and after.cpu_mhz and after.cpu_mhz < _STEADY_CLOCK * before.cpu_mhz:
        found.append(f"the clock fell from {before.cpu_mhz:.0f} to {after.cpu_mhz:.0f} MHz")
    if after.cpu_governor == "powersave":
        found.append("the governor saves power")
    if after.power == "battery":
        found.append("it runs on battery")
    return found


def _processor() -> str:
    """The processor's own name where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
