"""`evaluate`: the one function through which a study measures an architecture. Cheap before dear."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archlab.architecture import UNetSpec
from archlab.cost import count
from archlab.errors import BadInput, RunFailed
from archlab.space.settings import SpaceFile
from archlab.study.record import Evaluation

Progress = Callable[[str, float], None]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One architecture to evaluate.

    Attributes:
        limits: resolved hard limits: ``params_m``, ``macs_g``, ``latency_ms``.
        folder: where curve, samples and checkpoint go.
    """

    spec: UNetSpec
    settings: SpaceFile
    limits: Mapping[str, float]
    folder: Path


def evaluate(job: Job, progress: Progress) -> Evaluation:
    """Cost, then latency, then training; each can end the trial with its reason.

    ``progress(stage, done)`` hears of ``convert``, ``measure``, ``train``, ``sample`` and ``score``, done from 0 to 1.
    """
    cost = count(job.spec)
    known = Evaluation(status="complete", params_m=cost.params_m, macs_g=cost.macs_g)
    for name, value in (("params_m", cost.params_m), ("macs_g", cost.macs_g)):
        if value > job.limits.get(name, value):
            return gated(known, name, value, job.limits[name])
    try:
        if job.settings.measure:
            known = replace(known, latency=measure_target(job.spec, job.settings, progress))
            median_ms = known.latency["median_ms"] if known.latency else 0.0
            if median_ms > job.limits.get("latency_ms", median_ms):
                return gated(known, "latency_ms", median_ms, job.limits["latency_ms"])
        return replace(known, proxy=_train_proxy(job, progress))
    except (BadInput, RunFailed) as error:
        return replace(known, status="failed", reason=str(error))
    except Exception as error:  # a converter's or kernel's own failure ends this trial, not the study
        lines = str(error).strip().splitlines() or [""]
        return replace(known, status="failed", reason=f"{type(error).__name__}: {lines[0]}"[:300])


def gated(known: Evaluation, name: str, value: float, limit: float) -> Evaluation:
    """The evaluation ended by a hard limit."""
    reason = f"{name} {value:.4g} is over the limit of {limit:.4g}"
    return replace(known, status="gated", gate=name, reason=reason)


def measure_target(spec: UNetSpec, settings: SpaceFile, progress: Progress) -> dict[str, Any]:
    """Latency of the target on the study's device, with its provenance."""
    from archlab.latency import measure

    how = settings.measure[0]
    latency = measure(
        spec,
        device=how.device,
        threads=how.threads,
        precision=how.precision,
        min_runs=how.min_runs,
        min_seconds=how.min_seconds,
        progress=progress,
    )
    return latency.to_dict()


def _train_proxy(job: Job, progress: Progress) -> dict[str, Any]:
    from archlab.proxy import evaluate_proxy

    settings = job.settings
    result = evaluate_proxy(job.spec, settings.proxy, job.folder, seed=settings.search.seed, progress=progress)
    return result.to_dict()
