"""TFLite on this computer: the interpreter with XNNPACK, in a process of its own."""

import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from archlab.evaluation.latency import Latency
from archlab.latency.artifact import Artifact, checked_parity
from archlab.latency.devices import computer
from archlab.latency.devices.process import Timed, run_processes
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
        (latency,) = self.measure_group([network], settings, progress, lock)
        return latency

    def measure_group(
        self, networks: Sequence[Network], settings: Settings, progress: Progress, lock: DeviceLock = unlocked
    ) -> list[Latency]:
        """See `GroupRunner`."""
        artifacts = [tflite_file(network, settings, progress) for network in networks]
        with tempfile.TemporaryDirectory(prefix="archlab-tflite-") as folder:
            outputs = [Path(folder) / f"{number}.npy" for number in range(len(networks))]
            jobs = [
                {
                    "model": str(artifact.model),
                    "inputs": str(artifact.inputs),
                    "output": str(output),
                    "threads": settings.threads,
                    "warmup_runs": WARMUP_RUNS,
                }
                for artifact, output in zip(artifacts, outputs, strict=True)
            ]
            what = ", ".join(dict.fromkeys(network.name for network in networks))
            with lock(self.resource):
                timed = run_processes(self.worker, jobs, settings, progress, f"running {what} on {self.name!r}")
            return [
                self._latency(network, settings, artifact, output, one, alone=len(networks) == 1)
                for network, artifact, output, one in zip(networks, artifacts, outputs, timed, strict=True)
            ]

    def _latency(
        self, network: Network, settings: Settings, artifact: Artifact, output: Path, timed: Timed, alone: bool
    ) -> Latency:
        from archlab.convert import PARITY_TOLERANCES

        tolerance = PARITY_TOLERANCES[settings.precision]
        parity_max_abs = checked_parity(artifact, output, tolerance, f"{network.name} on {self.name!r}")
        unaccelerated = _unaccelerated_operators(artifact.model)
        return Latency(
            samples_ms=timed.samples_ms,
            bursts=timed.bursts,
            left_out=timed.left_out,
            noise=timed.noise,
            load_ms=timed.load_ms,
            first_run_ms=timed.first_run_ms,
            peak_memory_mb=timed.peak_memory_mb if alone else None,
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


@cache
def _unaccelerated_operators(model: Path) -> list[str] | None:
    """Loads the whole file; what is timed again and again is asked once."""
    from archlab.convert import unaccelerated_operators

    return unaccelerated_operators(model)
