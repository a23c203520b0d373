"""Core ML on this Mac, on a Mac over ssh, and on an iPhone that is plugged into either."""

import base64
import math
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from archlab.errors import BadInput, MissingExtra, RunFailed
from archlab.latency.artifact import Artifact, checked_parity, code_version, converted
from archlab.latency.devices.coreml.mac import Mac
from archlab.latency.devices.coreml.readiness import IPhone, NotReady, refuse_slowed, require_coreml, the_iphone
from archlab.latency.devices.tflite.file import installed, package_version
from archlab.latency.lock import THIS_COMPUTER, DeviceLock, unlocked
from archlab.latency.measurement import Latency
from archlab.latency.network import Built, Network
from archlab.latency.runner import DeviceStatus, Settings, circumstances
from archlab.progress import Progress

PARITY_TOLERANCES = {"fp16": 2e-2, "fp32": 1e-3}  # of the output's largest value; torch in fp16: 1.4e-3 on our presets
WARMUP_RUNS = 3

_ACCELERATORS = {"all": "neural_engine", "cpu_and_ne": "neural_engine", "cpu_and_gpu": "gpu", "cpu_only": None}


class CoreMLRunner:
    """``coreml``: this Mac. ``coreml@HOST``: a Mac over ssh. Converts here, with coremltools, on any system."""

    compute_units = tuple(_ACCELERATORS)
    precisions = tuple(PARITY_TOLERANCES)
    attention_forms = ("split_einsum", "split_einsum_v2", "plain")

    def __init__(self, host: str | None = None) -> None:
        self._mac = Mac(host)
        self.name = f"coreml@{host}" if host else "coreml"
        self.resource = self.name if host else THIS_COMPUTER

    def status(self) -> DeviceStatus:
        """See `Runner`."""
        about = f"Core ML on the Mac {self._mac.name}, over ssh" if self._mac.host else "Core ML on this Mac"
        return _status(self.name, about, self._facts)

    def versions(self) -> dict[str, str]:
        """See `Runner`. Asks the Mac; raises as `measure` does."""
        return _versions(self._facts())

    def measure(self, network: Network, settings: Settings, progress: Progress, lock: DeviceLock = unlocked) -> Latency:
        """See `Runner`. A Mac on battery, in low power mode or hot is refused, before and after the runs."""
        facts = self._facts()
        refuse_slowed(self._mac, facts["state"], settings)
        artifact = _package(network, settings, progress)
        with lock(self.resource):
            reports = _run(self._mac, artifact, settings, progress)
        for report in reports:
            refuse_slowed(self._mac, report["state"], settings)
        return _latency(self.name, network, settings, artifact, reports, _versions(facts))

    def _facts(self) -> dict[str, Any]:
        facts = self._mac.check()
        _require_all(self.name, self._mac, facts)
        return facts


class IPhoneRunner:
    """``iphone``: the iPhone that is plugged into this Mac. ``iphone@HOST``: into a Mac over ssh.

    Through coremltools' remote device: Xcode builds and signs Apple's model runner for the development team
    ``$ARCHLAB_DEVELOPMENT_TEAM``. ``$ARCHLAB_IPHONE`` names one of several iPhones.
    """

    compute_units = CoreMLRunner.compute_units
    precisions = CoreMLRunner.precisions
    attention_forms = CoreMLRunner.attention_forms

    def __init__(self, host: str | None = None) -> None:
        self._mac = Mac(host)
        self.name = self.resource = f"iphone@{host}" if host else "iphone"

    def status(self) -> DeviceStatus:
        """See `Runner`."""
        about = f"Core ML on the iPhone plugged into {self._mac.name if self._mac.host else 'this Mac'}"
        return _status(self.name, about, self._facts)

    def versions(self) -> dict[str, str]:
        """See `Runner`. Asks the Mac; raises as `measure` does."""
        return _iphone_versions(*self._facts())

    def measure(self, network: Network, settings: Settings, progress: Progress, lock: DeviceLock = unlocked) -> Latency:
        """See `Runner`. What runs on the iPhone is timed there; its heat and battery are not told."""
        facts, iphone = self._facts()
        artifact = _package(network, settings, progress)
        signed = {"iphone": iphone.udid, "team": os.environ["ARCHLAB_DEVELOPMENT_TEAM"]}
        with lock(self.resource):
            reports = _run(self._mac, artifact, settings, progress, signed)
        return _latency(self.name, network, settings, artifact, reports, _iphone_versions(facts, iphone))

    def _facts(self) -> tuple[dict[str, Any], IPhone]:
        facts = self._mac.check(devices=True)
        _require_all(self.name, self._mac, facts)
        return facts, the_iphone(self._mac, facts["devices"])


def _require_all(name: str, mac: Mac, facts: Mapping[str, Any]) -> None:
    require_coreml(mac, facts)
    if not installed("coremltools"):
        raise MissingExtra(f"converting for {name!r}", "coreml")


def _status(name: str, about: str, ask: Callable[[], object]) -> DeviceStatus:
    missing = mend = ""
    try:
        ask()
    except NotReady as error:
        missing, mend = error.what, error.mend
    except (BadInput, RunFailed) as error:  # one line: what is wrong; what mends it
        missing, _, mend = str(error).partition("; ")
    return DeviceStatus(name=name, about=about, missing=missing, mend=mend)


def _versions(facts: Mapping[str, Any]) -> dict[str, str]:
    return {
        "runtime": f"Core ML of {facts['os']}, coremltools {facts['coremltools']}",
        **_converter_versions(),
        "os": facts["os"],
        "chip": facts["chip"],
        "host": facts["host"],
    }


def _iphone_versions(facts: Mapping[str, Any], iphone: IPhone) -> dict[str, str]:
    mac = _versions(facts)
    return {
        **mac,
        "runtime": f"Core ML of {iphone.os}, coremltools {facts['coremltools']}",
        "os": iphone.os,
        "chip": iphone.model,
        "host": iphone.name,
        "mac": f"{mac['chip']}, {mac['os']}",
    }


def _converter_versions() -> dict[str, str]:
    return {
        "converter": f"coremltools {package_version('coremltools')}",
        "torch": package_version("torch"),
        "archlab": code_version(),
    }


def _package(network: Network, settings: Settings, progress: Progress) -> Artifact:
    if settings.threads != 1:
        raise BadInput(f"threads: Core ML chooses them itself; leave 1 instead of {settings.threads}")

    def convert(built: Built, path: Path) -> None:
        from archlab.convert import to_coreml

        attention = settings.attention or CoreMLRunner.attention_forms[0]
        to_coreml(built.module, built.inputs, path, precision=settings.precision, attention=attention)

    progress("convert", 0.0)
    key = {"precision": settings.precision, "attention": settings.attention, **_converter_versions()}
    artifact = converted(network, "model.mlpackage", convert, key, settings.seed)
    progress("convert", 1.0)
    return artifact


def _run(
    mac: Mac, artifact: Artifact, settings: Settings, progress: Progress, signed: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """One report for each process."""
    job: dict[str, Any] = {
        "compute": settings.compute or CoreMLRunner.compute_units[0],
        "warmup_runs": WARMUP_RUNS,
        "min_runs": math.ceil(settings.min_runs / settings.processes),
        "min_seconds": settings.min_seconds / settings.processes,
        "timeout_s": settings.timeout_s,
        **(signed or {"iphone": None, "team": None}),
    }
    reports = []
    for process in range(settings.processes):
        progress("measure", process / settings.processes)
        reports.append(mac.measure(artifact, job))
    progress("measure", 1.0)
    return reports


def _latency(
    name: str,
    network: Network,
    settings: Settings,
    artifact: Artifact,
    reports: list[dict[str, Any]],
    versions: Mapping[str, str],
) -> Latency:
    """Loading and first run are the first process's: later ones find what Core ML compiled and kept."""
    first = reports[0]
    tolerance = PARITY_TOLERANCES[settings.precision]
    memory = [report["peak_memory_mb"] for report in reports if report["peak_memory_mb"] is not None]
    return Latency(
        samples_ms=tuple(sample for report in reports for sample in report["samples_ms"]),
        load_ms=first["load_ms"],
        first_run_ms=first["first_run_ms"],
        peak_memory_mb=max(memory, default=None),
        model_mb=artifact.model_mb,
        partitions=None,
        accelerated_share=_share(first["operations"], settings.compute),
        parity_max_abs=_parity(artifact, first["output"], tolerance, f"{network.name} on {name!r}"),
        provenance={
            **circumstances(name, network, settings, versions),
            "threads": None,
            "warmup_runs": WARMUP_RUNS,
            "parity_tolerance": tolerance,
            "operations": first["operations"],
            "no_plan": first["no_plan"],
            "prepare_s": first["prepare_ms"] / 1000,
            "state": first["state"],
        },
    )


def _share(operations: Mapping[str, int] | None, compute: str | None) -> float | None:
    """Of the operations that run anywhere; None where nothing accelerates or the plan is not told."""
    accelerator = _ACCELERATORS[compute or CoreMLRunner.compute_units[0]]
    if accelerator is None or not operations or not sum(operations.values()):
        return None
    return operations[accelerator] / sum(operations.values())


def _parity(artifact: Artifact, output: str, tolerance: float, what: str) -> float:
    with tempfile.TemporaryDirectory(prefix="archlab-coreml-") as folder:
        path = Path(folder) / "output.npy"
        path.write_bytes(base64.b64decode(output))
        return checked_parity(artifact, path, tolerance, what)
