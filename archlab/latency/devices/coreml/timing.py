"""A Core ML package timed by the agent, on a Mac or on an iPhone that is plugged into it."""

import math
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from archlab.errors import RunFailed
from archlab.evaluation.latency import Latency
from archlab.latency.artifact import Artifact, checked_parity
from archlab.latency.devices.coreml.answers import MacFacts, Report
from archlab.latency.devices.coreml.mac import Mac
from archlab.latency.devices.coreml.package import converter_versions
from archlab.latency.devices.spread import cut_into_bursts, wide_spread
from archlab.latency.network import Network
from archlab.latency.runner import circumstances
from archlab.latency.settings import Settings
from archlab.progress import Progress

PARITY_TOLERANCES = {"fp16": 2e-2, "fp32": 1e-3}  # of the output's largest value; torch in fp16: 1.4e-3 on our presets
WARMUP_RUNS = 3
ACCELERATORS = {"all": "neural_engine", "cpu_and_ne": "neural_engine", "cpu_and_gpu": "gpu", "cpu_only": None}

COMPUTE_UNITS = tuple(ACCELERATORS)
PRECISIONS = tuple(PARITY_TOLERANCES)
ATTENTION_FORMS = ("split_einsum", "split_einsum_v2", "plain")


def timed(
    mac: Mac, artifact: Artifact, settings: Settings, progress: Progress, iphone: str | None = None, team: str = ""
) -> list[Report]:
    """One report for each process.

    Args:
        iphone: the identifier (UDID) of the iPhone that it runs on; None for the Mac.
        team: the development team that signs Apple's model runner for it.
    """
    job: dict[str, Any] = {
        "compute": settings.compute or COMPUTE_UNITS[0],
        "warmup_runs": WARMUP_RUNS,
        "min_runs": math.ceil(settings.min_runs / settings.processes),
        "min_seconds": settings.min_seconds / settings.processes,
        "timeout_s": settings.timeout_s,
        "iphone": iphone,
        "team": team or None,
    }
    reports = []
    for process in range(settings.processes):
        progress("measure", process / settings.processes)
        reports.append(mac.measure(artifact, job))
    progress("measure", 1.0)
    return reports


def coreml_latency(
    name: str,
    network: Network,
    settings: Settings,
    artifact: Artifact,
    reports: list[Report],
    versions: Mapping[str, str],
    slow_because: str = "",
) -> Latency:
    """Loading and first run are the first process's: later ones find what Core ML compiled and stored.

    Args:
        slow_because: why the device was slow although that is allowed; empty where it does not tell.

    Raises:
        RunFailed: the unit that was asked for takes nothing of the network.
    """
    first = reports[0]
    share = _share(first.operations, settings.compute)
    if share == 0 and settings.compute != "all":
        raise RunFailed(
            f"{network.name} on {name!r}: with compute {settings.compute} Core ML's plan leaves the whole network to "
            "the CPU; take cpu_only, or all"
        )
    tolerance = PARITY_TOLERANCES[settings.precision]
    bursts = [burst for report in reports for burst in cut_into_bursts(report.samples_ms)]
    memory = [report.peak_memory_mb for report in reports if report.peak_memory_mb is not None]
    return Latency(
        samples_ms=tuple(sample for report in reports for sample in report.samples_ms),
        bursts=tuple(map(len, bursts)),
        left_out=0,
        noise="; ".join(filter(None, [slow_because, wide_spread(list(map(median, bursts)), "bursts")])) or None,
        load_ms=first.load_ms,
        first_run_ms=first.first_run_ms,
        peak_memory_mb=max(memory, default=None),
        model_mb=artifact.model_mb,
        partitions=None,
        accelerated_share=share,
        parity_max_abs=_parity(artifact, first.output, tolerance, f"{network.name} on {name!r}"),
        provenance={
            **circumstances(name, network, settings, versions),
            "threads": None,
            "warmup_runs": WARMUP_RUNS,
            "parity_tolerance": tolerance,
            "operations": first.operations,
            "no_plan": first.no_plan,
            "prepare_s": first.prepare_ms / 1000,
            "state": asdict(first.state),
        },
    )


def mac_versions(facts: MacFacts) -> dict[str, str]:
    """What decides a latency on the Mac, besides network and settings."""
    return {
        "runtime": f"Core ML of {facts.os}, coremltools {facts.coremltools}",
        **converter_versions(),
        "os": facts.os,
        "chip": facts.chip,
        "host": facts.host,
    }


def _share(operations: Mapping[str, int] | None, compute: str | None) -> float | None:
    """Of the operations that run anywhere; None where nothing accelerates or the plan is not known."""
    accelerator = ACCELERATORS[compute or COMPUTE_UNITS[0]]
    if accelerator is None or not operations or not sum(operations.values()):
        return None
    return operations[accelerator] / sum(operations.values())


def _parity(artifact: Artifact, output: bytes, tolerance: float, what: str) -> float:
    with tempfile.TemporaryDirectory(prefix="archlab-coreml-") as folder:
        path = Path(folder) / "output.npy"
        path.write_bytes(output)
        return checked_parity(artifact, path, tolerance, what)
