"""Eager torch on this computer, as a reference: its CPU, or CUDA."""

import copy
import ctypes
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from archlab.errors import BadInput
from archlab.evaluation.latency import Latency
from archlab.latency.artifact import checked_parity, code_version, write_artifact
from archlab.latency.devices import computer
from archlab.latency.devices.process import run_processes
from archlab.latency.lock import THIS_COMPUTER, DeviceLock, unlocked
from archlab.latency.network import Built, Network
from archlab.latency.packages import package_version
from archlab.latency.runner import DeviceStatus, circumstances
from archlab.latency.settings import Settings
from archlab.progress import Progress

PARITY_TOLERANCES = {"fp32": 1e-3, "fp16": 5e-2}  # of the output's largest absolute value; CUDA may multiply in TF32
WARMUP_RUNS = 3

_DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"  # NVIDIA's
_WORKER = Path(__file__).with_name("worker.py")


class TorchRunner:
    """The network as it is trained, without a conversion; fp16 is weights, inputs and arithmetic."""

    resource = THIS_COMPUTER
    precisions = ("fp32", "fp16")
    attention_forms = ("plain",)

    def __init__(self, unit: str | None = None) -> None:
        self.name = f"torch:{unit}" if unit else "torch"
        self.compute_units = (unit or "cpu",)

    def status(self) -> DeviceStatus:
        """See `Runner`."""
        if self.compute_units == ("cpu",):
            return DeviceStatus(name=self.name, about="eager torch on this computer's CPU, as a reference")
        missing, mend = _without_cuda()
        about = "eager torch on this computer's NVIDIA GPU, as a reference"
        return DeviceStatus(name=self.name, about=about, missing=missing, mend=mend)

    def versions(self, settings: Settings) -> dict[str, str]:
        """See `Runner`."""
        facts = {"runtime": f"torch {package_version('torch')}", "archlab": code_version(), **computer.identity()}
        if self.compute_units == ("cuda",) and self.status().available:
            import torch

            facts |= {"chip": torch.cuda.get_device_name(), "cuda": str(torch.version.cuda)}
        return facts

    def measure(self, network: Network, settings: Settings, progress: Progress, lock: DeviceLock = unlocked) -> Latency:
        """See `Runner`. Runs in a process of its own. Loading is reading the weights and copying them to the unit."""
        status = self.status()
        if not status.available:
            raise BadInput(f"{self.name}: {status.missing}; {status.mend}")
        what = f"{network.name} on {self.name!r}"
        tolerance = PARITY_TOLERANCES[settings.precision]
        with tempfile.TemporaryDirectory(prefix="archlab-torch-") as name:
            folder = Path(name)
            progress("convert", 0.0)
            artifact = write_artifact(folder / "network", network, "module.pt", _in(settings.precision), settings.seed)
            progress("convert", 1.0)
            job = {
                "module": str(artifact.model),
                "inputs": str(artifact.inputs),
                "output": str(folder / "output.npy"),
                "unit": settings.compute,
                "threads": settings.threads,
                "precision": settings.precision,
                "warmup_runs": WARMUP_RUNS,
            }
            with lock(self.resource):
                (timed,) = run_processes(_WORKER, [job], settings, progress, f"running {what}")
            parity_max_abs = checked_parity(artifact, folder / "output.npy", tolerance, what)
            model_mb = artifact.model_mb
        return Latency(
            samples_ms=timed.samples_ms,
            bursts=timed.bursts,
            left_out=timed.left_out,
            noise=timed.noise,
            load_ms=timed.load_ms,
            first_run_ms=timed.first_run_ms,
            peak_memory_mb=timed.peak_memory_mb,
            partitions=timed.partitions,
            model_mb=model_mb,
            accelerated_share=None,
            parity_max_abs=parity_max_abs,
            provenance={
                **circumstances(self.name, network, settings, self.versions(settings)),
                "warmup_runs": WARMUP_RUNS,
                "parity_tolerance": tolerance,
                **timed.conditions,
            },
        )


def _in(precision: str) -> Callable[[Built, Path], None]:
    def save(built: Built, path: Path) -> None:
        import torch

        dtype = {"fp32": torch.float32, "fp16": torch.float16}[precision]
        torch.save(copy.deepcopy(built.module).to(dtype), path)

    return save


def _without_cuda() -> tuple[str, str]:
    """What CUDA lacks and what brings it; empty when nothing. Without NVIDIA's driver it imports no torch."""
    no_gpu = "an NVIDIA GPU that torch can use", "nvidia-smi tells whether its driver works"
    try:
        ctypes.CDLL(_DRIVER)
    except OSError:
        return no_gpu
    import torch

    if torch.version.cuda is None:
        return f"torch with CUDA (torch {torch.__version__} has none)", "see https://pytorch.org/get-started/locally"
    return ("", "") if torch.cuda.is_available() else no_gpu
