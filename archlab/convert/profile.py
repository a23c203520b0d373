"""Where the time of a TFLite file goes, operator by operator."""

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from archlab.errors import RunFailed, require
from archlab.surgery import fallback

_PROFILER = Path(fallback.__file__).with_name("litert_profiler.py")
_WRITTEN_FOR = "2.3"
_TIMEOUT_SECONDS = 600


@dataclass(frozen=True, slots=True)
class OperatorTime:
    """One kind of operator in one forward pass.

    Attributes:
        name: the kernel's own name: ``Convolution (NHWC, F32) IGEMM``.
        calls: how often it runs.
        ms: how long all of them take.
    """

    name: str
    calls: int
    ms: float


def operator_profile(path: str | Path, runs: int = 3) -> list[OperatorTime]:
    """The operators of one forward pass on one CPU thread, the most expensive first; means of ``runs`` runs.

    Profiling slows the runs down by a few percent: shares count here, not milliseconds.

    Raises:
        MissingExtra: ai-edge-litert is not installed.
        RunFailed: this release of ai-edge-litert cannot be profiled so.
    """
    require("ai_edge_litert", "profiling TFLite files")
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as job:
        json.dump({"model": str(path), "runs": runs}, job)
        job.flush()
        done = subprocess.run(
            [sys.executable, "-P", str(_PROFILER), job.name],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        why = lines[-1] if done.returncode > 0 and lines else f"its process ended with {done.returncode}"
        release = fallback.installed_version("ai-edge-litert")
        if not release.startswith(f"{_WRITTEN_FOR}."):
            why += f"; this is for ai-edge-litert {_WRITTEN_FOR}, and {release} is installed"
        raise RunFailed(f"{path}: cannot be profiled: {why}")
    times: defaultdict[str, list[float]] = defaultdict(list)
    for name, ms in json.loads(done.stdout.splitlines()[-1]):
        times[name].append(ms)
    rows = [OperatorTime(name, len(ms) // runs, sum(ms) / runs) for name, ms in times.items()]
    return sorted(rows, key=lambda row: row.ms, reverse=True)
