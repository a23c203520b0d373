"""TFLite on an Android phone: the ``benchmark_model`` program, by adb."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from statistics import median

from archlab.errors import BadInput
from archlab.evaluation.latency import Latency
from archlab.files import file_hash
from archlab.latency.devices.android.adb import CONNECT, INSTALL, attached_phone, has_adb
from archlab.latency.devices.android.benchmark import WARMUP_RUNS, benchmark, refuse_slow
from archlab.latency.devices.android.condition import Identity, read_condition, read_identity
from archlab.latency.devices.android.program import MEND, find_program, has_program
from archlab.latency.devices.spread import wide_spread
from archlab.latency.devices.tflite.file import converter_versions, tflite_file
from archlab.latency.lock import DeviceLock, unlocked
from archlab.latency.network import Network
from archlab.latency.runner import DeviceGone, DeviceStatus, circumstances
from archlab.latency.settings import ATTENTION_FORMS, PRECISIONS, Settings
from archlab.progress import Progress


class AndroidRunner:
    """Converts to TFLite, runs on a phone with the user's ``benchmark_model``, classic or new.

    Without a serial it is the only phone attached. ``benchmark_model`` tells no single runs: a sample is what one
    process reports, the median of its runs, and there are at least three processes.
    """

    compute_units = ("cpu", "gpu", "npu")
    precisions = PRECISIONS
    attention_forms = ATTENTION_FORMS

    def __init__(self, serial: str | None = None) -> None:
        self._serial = serial
        self.name = self.resource = f"android:{serial}" if serial else "android"

    def status(self) -> DeviceStatus:
        """See `Runner`."""
        lacks = dict(self._lacks())
        return DeviceStatus(
            name=self.name,
            about="TFLite's benchmark_model on an Android phone, by adb",
            missing=", ".join(lacks),
            mend="; ".join(lacks.values()),
        )

    def versions(self, settings: Settings) -> dict[str, str]:
        """See `Runner`. Asks the phone; raises as `measure` does."""
        return _versions(read_identity(attached_phone(self._serial)), find_program(), settings)

    def measure(self, network: Network, settings: Settings, progress: Progress, lock: DeviceLock = unlocked) -> Latency:
        """See `Runner`. A hot phone has five minutes to cool down; an emulator is refused like a slow phone."""
        program = find_program()
        phone = attached_phone(self._serial)
        identity = read_identity(phone)
        emulated = "it is an emulator; take a phone" if identity.emulator else ""
        refuse_slow(phone, emulated or read_condition(phone).unfit, settings)
        artifact = tflite_file(network, settings, progress)
        with lock(self.resource):
            measured = benchmark(phone, program, artifact.model, settings, progress)
        processes = measured.processes
        # equal runs have one value, so an old program's process may seem to tell a median
        statistic = "mean" if any(process.statistic == "mean" for process in processes) else "median"
        medians_ms = [process.typical_ms for process in processes]
        conditions = (measured.before, measured.after)
        slow_because = emulated or next((why for each in conditions if (why := each.unfit or each.hot)), "")
        return Latency(
            samples_ms=tuple(medians_ms),
            bursts=(1,) * len(processes),
            left_out=0,
            noise="; ".join(filter(None, [slow_because, wide_spread(medians_ms, "processes")])) or None,
            load_ms=median(process.init_ms for process in processes),
            first_run_ms=median(process.first_run_ms for process in processes),
            peak_memory_mb=measured.peak_memory_mb,
            model_mb=artifact.model_mb,
            partitions=processes[0].partitions,
            accelerated_share=processes[0].accelerated_share,
            parity_max_abs=None,
            provenance={
                **circumstances(self.name, network, settings, _versions(identity, program, settings)),
                "serial": phone.serial,
                "emulator": identity.emulator,
                "program": measured.program,
                "cores": list(measured.cores) or "not pinned",
                "sample": f"{statistic} of the runs of one process",
                "processes": len(processes),
                "runs_of_processes": [process.runs for process in processes],
                "p95_ms_of_processes": [process.p95_ms for process in processes],
                "warmup_runs": WARMUP_RUNS,
                "before": asdict(measured.before),
                "after": asdict(measured.after),
                "parity": "not checked: benchmark_model runs on inputs of its own and keeps no outputs",
            },
        )

    def _lacks(self) -> Iterator[tuple[str, str]]:
        """What is missing, and what brings it."""
        if not has_program():
            yield "benchmark_model", MEND
        if not has_adb():
            yield "adb", INSTALL
            return
        try:
            attached_phone(self._serial)
        except (BadInput, DeviceGone) as error:
            what, _, mend = str(error).partition("; ")
            yield what, mend or CONNECT


def _versions(identity: Identity, program: Path, settings: Settings) -> dict[str, str]:
    return {
        "runtime": f"benchmark_model {file_hash(program)[:16]}",
        **converter_versions(settings),
        "os": f"Android {identity.android}",
        "build": identity.build,
        "host": f"{identity.manufacturer} {identity.model}".strip(),
        "chip": identity.chip,
        "abi": identity.abi,
    }
