"""TFLite on this computer: the interpreter with XNNPACK, in a process of its own."""

import tempfile
from pathlib import Path

from archlab.evaluation.latency import Latency
from archlab.latency.artifact import checked_parity
from archlab.latency.devices import computer
from archlab.latency.devices.process import run_processes
from archlab.latency.devices.tflite.file import converter_versions, tflite_file
from archlab.latency.lock import THIS_COMPUTER, DeviceLock, unlocked
from archlab.latency.network import Network
from archlab.latency.packages import installed, package_version
from archlab.latency.runner import DeviceStatus, circumstances
from archlab.latency.settings import PRECISIONS, Settings
from archlab.progress import Progress

WARMUP_RUNS = 3

_PACKAGE = "ai-edge-litert"


class TFLiteRunner:
    """Converts, runs with ai-edge-litert.

    Attributes:
        worker: the program that times a file, see `archlab.latency.devices.process.run_processes`.
    """

    name = "tflite"
    resource = THIS_COMPUTER
    compute_units = ("cpu",)
    precisions = PRECISIONS
    attention_forms = ("plain",)
    worker = Path(__file__).with_name("worker.py")

    def status(self) -> DeviceStatus:
        """See `Runner`."""
        lacks = not installed("ai_edge_litert")
        return DeviceStatus(
            name=self.name,
            about="TFLite with XNNPACK on this computer's CPU",
            missing=_PACKAGE if lacks else "",
            mend=f"pip install {_PACKAGE}" if lacks else "",
        )

    def versions(self, settings: Settings) -> dict[str, str]:
        """See `Runner`."""
        return {
            "runtime": f"ai-edge-litert {package_version(_PACKAGE)}",
            **converter_versions(settings),
            **computer.identity(),
        }

    def measure(self, network: Network, settings: Settings, progress: Progress, lock: DeviceLock = unlocked) -> Latency:
        """See `Runner`. The weights are random: latency does not depend on them.

        ``accelerated_share`` is known where it is everything; else the provenance names ``unaccelerated_operators``.
        """
        from archlab.convert import PARITY_TOLERANCES, unaccelerated_operators

        artifact = tflite_file(network, settings, progress)
        what = f"{network.name} on {self.name!r}"
        tolerance = PARITY_TOLERANCES[settings.precision]
        with tempfile.TemporaryDirectory(prefix="archlab-tflite-") as folder:
            output = Path(folder) / "output.npy"
            job = {
                "model": str(artifact.model),
                "inputs": str(artifact.inputs),
                "output": str(output),
                "threads": settings.threads,
                "warmup_runs": WARMUP_RUNS,
            }
            with lock(self.resource):
                timed = run_processes(self.worker, job, settings, progress, f"running {what}")
            parity_max_abs = checked_parity(artifact, output, tolerance, what)
        unaccelerated = unaccelerated_operators(artifact.model)
        return Latency(
            samples_ms=timed.samples_ms,
            bursts=timed.bursts,
            left_out=timed.left_out,
            noise=timed.noise,
            load_ms=timed.load_ms,
            first_run_ms=timed.first_run_ms,
            peak_memory_mb=timed.peak_memory_mb,
            partitions=timed.partitions,
            model_mb=artifact.model_mb,
            accelerated_share=1.0 if unaccelerated == [] else None,
            parity_max_abs=parity_max_abs,
            provenance={
                **circumstances(self.name, network, settings, self.versions(settings)),
                "delegate": "XNNPACK",
                "unaccelerated_operators": unaccelerated,
                "warmup_runs": WARMUP_RUNS,
                "parity_tolerance": tolerance,
                **timed.conditions,
            },
        )
