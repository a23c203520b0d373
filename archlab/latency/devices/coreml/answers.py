"""What the agent on a Mac answers, see `archlab.latency.devices.coreml.agent`."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class MacState:
    """How a Mac is at one moment; None for what macOS does not tell.

    Attributes:
        power: ``AC Power`` or ``Battery Power``.
        thermal_pressure: 0 is none.
    """

    power: str | None
    low_power_mode: bool | None
    cpu_speed_limit_percent: int | None
    thermal_pressure: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MacFacts:
    """What a Mac has.

    Attributes:
        python: path of the Python that runs the agent.
        coremltools: its version; None where it is not installed.
        devices: what ``devicectl`` lists; None where it was not asked or there is no Xcode that has it.
    """

    os: str
    chip: str
    host: str
    python: str
    coremltools: str | None
    state: MacState
    devices: tuple[Mapping[str, Any], ...] | None

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> "MacFacts":
        """Of the agent's answer to ``check`` on a Mac."""
        devices = answer.get("devices")
        names = ("os", "chip", "host", "python", "coremltools")
        return cls(
            **{name: answer[name] for name in names},
            state=MacState(**answer["state"]),
            devices=None if devices is None else tuple(devices),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one process measured.

    Attributes:
        prepare_ms: of building the model in the process, before Core ML loads it.
        peak_memory_mb: None on an iPhone.
        output: a ``.npy`` file's content.
        operations: how many run on which unit by Core ML's plan; None where there is no plan, with ``no_plan`` why.
        state: the Mac's after the runs.
    """

    samples_ms: tuple[float, ...]
    load_ms: float
    prepare_ms: float
    first_run_ms: float
    peak_memory_mb: float | None
    output: bytes
    operations: Mapping[str, int] | None
    no_plan: str | None
    state: MacState

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> "Report":
        """Of the agent's answer to ``measure``."""
        names = ("load_ms", "prepare_ms", "first_run_ms", "peak_memory_mb", "operations", "no_plan")
        return cls(
            **{name: answer[name] for name in names},
            samples_ms=tuple(answer["samples_ms"]),
            output=base64.b64decode(answer["output"]),
            state=MacState(**answer["state"]),
        )
