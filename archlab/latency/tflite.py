"""TFLite on this computer: the interpreter with XNNPACK, in a process of its own."""

import json
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import archlab
from archlab.architecture import UNetSpec
from archlab.errors import MissingExtra, RunFailed
from archlab.latency.measurement import Latency
from archlab.latency.runner import DeviceStatus, Progress, Settings

PARITY_TOLERANCE = 1e-4  # of the output's largest absolute value; a correct float32 conversion gives about 1e-6
WARMUP_RUNS = 3
TIMEOUT_SECONDS = 600.0

_PACKAGES = {"litert_torch": "litert-torch", "ai_edge_litert": "ai-edge-litert"}
_WORKER = Path(__file__).with_name("tflite_worker.py")


class TFLiteRunner:
    """Converts with litert-torch, runs with ai-edge-litert."""

    def status(self) -> DeviceStatus:
        """See `Runner`."""
        missing = [package for module, package in _PACKAGES.items() if not _installed(module)]
        return DeviceStatus(
            name="tflite",
            about="TFLite with XNNPACK on this computer's CPU",
            missing=", ".join(missing),
            mend="pip install 'archlab[tflite]'" if missing else "",
        )

    def versions(self) -> dict[str, str]:
        """See `Runner`."""
        return {
            "runtime": f"ai-edge-litert {_version('ai-edge-litert')}",
            "converter": f"litert-torch {_version('litert-torch')}",
            "torch": _version("torch"),
            "archlab": archlab.__version__,
            "os": platform.platform(),
            "host": platform.node(),
            "cpu": _cpu(),
        }

    def measure(self, spec: UNetSpec, settings: Settings, progress: Progress) -> Latency:
        """See `Runner`. The weights are random: latency does not depend on them."""
        if not self.status().available:
            raise MissingExtra("measuring on 'tflite'", "tflite")
        spec = spec.deployed
        with tempfile.TemporaryDirectory(prefix="archlab-tflite-") as name:
            folder = Path(name)
            progress("convert", 0.0)
            expected = _convert(spec, settings.seed, folder)
            progress("convert", 1.0)
            progress("measure", 0.0)
            measured = _run_worker(folder, spec, settings)
            progress("measure", 1.0)
            return Latency(
                samples_ms=tuple(measured.pop("samples_ms")),
                **measured,
                model_mb=(folder / "model.tflite").stat().st_size / 1e6,
                parity_max_abs=_checked_parity(spec, expected, folder / "output.npy"),
                provenance=self._provenance(spec, settings),
            )

    def _provenance(self, spec: UNetSpec, settings: Settings) -> dict[str, Any]:
        return {
            "device": "tflite",
            "kind": "measured",
            "cached": False,
            **self.versions(),
            "delegate": "XNNPACK",
            "threads": settings.threads,
            "precision": settings.precision,
            "min_runs": settings.min_runs,
            "min_seconds": settings.min_seconds,
            "warmup_runs": WARMUP_RUNS,
            "seed": settings.seed,
            "weights": "random",
            "architecture": spec.id,
            "parity_tolerance": PARITY_TOLERANCE,
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }


def _convert(spec: UNetSpec, seed: int, folder: Path) -> Any:
    """Write ``model.tflite`` and ``inputs.npz``; return torch's output for those inputs."""
    import numpy as np
    import torch

    from archlab.convert import example_inputs, to_tflite, torch_output
    from archlab.unet import build

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = build(spec)
    inputs = example_inputs(spec, seed)
    to_tflite(unet, folder / "model.tflite")
    arrays: dict[str, Any] = {name: tensor.numpy() for name, tensor in inputs.items()}
    np.savez(folder / "inputs.npz", **arrays)
    return torch_output(unet, inputs)


def _run_worker(folder: Path, spec: UNetSpec, settings: Settings) -> dict[str, Any]:
    job = {
        "model": str(folder / "model.tflite"),
        "inputs": str(folder / "inputs.npz"),
        "output": str(folder / "output.npy"),
        "threads": settings.threads,
        "warmup_runs": WARMUP_RUNS,
        "min_runs": settings.min_runs,
        "min_seconds": settings.min_seconds,
    }
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    what = f"running {spec.id} on 'tflite' failed"
    try:
        done = subprocess.run(
            [sys.executable, "-P", str(_WORKER), str(folder / "job.json")],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT_SECONDS + settings.min_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RunFailed(f"{what}: no result after {error.timeout:.0f} s") from None
    if done.returncode < 0:
        raise RunFailed(f"{what}: its process was ended by signal {-done.returncode}")
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise RunFailed(f"{what}: {lines[-1] if lines else f'exit code {done.returncode}'}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _checked_parity(spec: UNetSpec, expected: Any, output: Path) -> float:
    import numpy as np

    from archlab.convert import compare

    parity = compare(expected, np.load(output))
    if not parity.within(PARITY_TOLERANCE):
        raise RunFailed(
            f"{spec.id} on 'tflite' differs from torch by {parity.max_relative:.1e} of its output's scale "
            f"(at most {PARITY_TOLERANCE:.0e} is accepted); its latency would be another network's"
        )
    return parity.max_abs


def _installed(module: str) -> bool:
    """Whether it could be imported, without the seconds that importing it takes."""
    try:
        return find_spec(module) is not None
    except ValueError:  # what find_spec raises for a module that is blocked
        return False


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _cpu() -> str:
    """The processor's own name where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
