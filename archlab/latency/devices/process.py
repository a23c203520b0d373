"""Something is timed in a process of its own: its memory is its own, and its crash or hang is one line."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from archlab.bursts import Timing
from archlab.errors import RunFailed
from archlab.latency.devices.computer import Meanwhile, state
from archlab.latency.devices.reference import known_reference_ms, remember_reference_ms
from archlab.latency.settings import Settings
from archlab.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessReport:
    """What a worker prints, in one line of JSON.

    Attributes:
        cpu_seconds: processor time that the process has taken so far.
        no_partitions: why ``partitions`` is not known, if the runtime does not list them.
    """

    timing: Timing
    load_ms: float
    first_run_ms: float
    peak_memory_mb: float
    partitions: int | None
    cpu_seconds: float
    no_partitions: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """What the processes reported together: all samples, medians of load and first run, the most memory.

    Attributes:
        bursts, left_out, noise: see `archlab.evaluation.Latency`.
        conditions: for the provenance: of this computer meanwhile, see `archlab.latency.devices.computer.conditions`,
            and why something is not known.
    """

    samples_ms: tuple[float, ...]
    bursts: tuple[int, ...]
    left_out: int
    noise: str | None
    load_ms: float
    first_run_ms: float
    peak_memory_mb: float
    partitions: int | None
    conditions: dict[str, Any]


def run_processes(
    worker: Path, jobs: Sequence[Mapping[str, Any]], settings: Settings, progress: Progress, what: str
) -> list[Timed]:
    """Run ``settings.processes``, which share the runs, one after the other; each does all jobs.

    Args:
        worker: a file that is run with the jobs as JSON, and prints a list of `ProcessReport` as JSON in its last line.
        jobs: what the worker is given; ``wanted``, the arguments of `archlab.bursts.Wanted` for one process, are added.
        what: the beginning of an error's line: ``running X on 'tflite'``.

    Raises:
        RunFailed: a process crashed, failed, took longer than ``settings.timeout_s``, or said nothing.
    """
    known_ms = known_reference_ms(settings.threads)
    wanted: dict[str, Any] = {
        "min_runs": math.ceil(settings.min_runs / settings.processes),
        "min_seconds": settings.min_seconds / settings.processes,
        "quiet_timeout_s": min(settings.quiet_timeout_s / settings.processes, settings.timeout_s / 2),
        "reference_ms": known_ms,
    }
    processes: list[list[ProcessReport]] = []
    before = state()
    for process in range(settings.processes):
        progress("measure", process / settings.processes)
        processes.append(_run(worker, [{**job, "wanted": wanted} for job in jobs], settings.timeout_s, what))
        seen = [report.timing.reference_ms for report in processes[-1]]
        wanted["reference_ms"] = min(*seen, wanted["reference_ms"] or math.inf)
    progress("measure", 1.0)
    meanwhile = Meanwhile(before, state(), sum(reports[-1].cpu_seconds for reports in processes))
    return [_together(reports, known_ms, meanwhile, settings) for reports in zip(*processes, strict=True)]


def _together(
    reports: Sequence[ProcessReport], known_ms: float | None, meanwhile: Meanwhile, settings: Settings
) -> Timed:
    timings = [report.timing for report in reports]
    reference_ms = min(timing.reference_ms for timing in timings)
    shared = meanwhile.shared_cores
    if all(timing.steady for timing in timings) and not shared:
        remember_reference_ms(settings.threads, reference_ms)
    noise = [timing.noise for timing in timings] + [meanwhile.slowed, shared if known_ms is None else None]
    unknown = reports[0].no_partitions
    return Timed(
        samples_ms=tuple(sample for timing in timings for burst in timing.bursts for sample in burst),
        bursts=tuple(len(burst) for timing in timings for burst in timing.bursts),
        left_out=sum(timing.left_out for timing in timings),
        noise="; ".join(dict.fromkeys(each for each in noise if each is not None)) or None,
        load_ms=median(report.load_ms for report in reports),
        first_run_ms=median(report.first_run_ms for report in reports),
        peak_memory_mb=max(report.peak_memory_mb for report in reports),
        partitions=reports[0].partitions,
        conditions={
            **meanwhile.told,
            "reference_ms": reference_ms,
            **({} if unknown is None else {"no_partitions": unknown}),
        },
    )


def _run(worker: Path, jobs: list[dict[str, Any]], timeout_s: float, what: str) -> list[ProcessReport]:
    try:
        done = subprocess.run(
            [sys.executable, "-P", str(worker), json.dumps(jobs)],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            timeout=timeout_s * len(jobs),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RunFailed(f"{what} failed: no result after {timeout_s:g} s") from None
    lines = done.stderr.strip().splitlines()
    if done.returncode < 0:
        raise RunFailed(f"{what} failed: its process was ended by signal {-done.returncode}")
    if done.returncode:
        raise RunFailed(f"{what} failed: {lines[-1] if lines else f'exit code {done.returncode}'}")
    try:
        reports = json.loads(done.stdout.splitlines()[-1])
        return [ProcessReport(**{**report, "timing": Timing(**report["timing"])}) for report in reports]
    except (IndexError, KeyError, TypeError, ValueError):
        raise RunFailed(f"{what} failed: its process ended without a report") from None
