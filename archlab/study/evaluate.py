"""`evaluate`: the one function through which a study measures an architecture. Cheap before dear."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archlab.architecture import UNetSpec
from archlab.cost import count
from archlab.errors import BadInput, RunFailed
from archlab.space.settings import Measurement, SpaceFile
from archlab.study.record import Evaluation

Progress = Callable[[str, float], None]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One architecture to evaluate.

    Attributes:
        limits: resolved hard limits: ``params_m``, ``macs_g``, ``latency_ms`` and its like.
        folder: where curve, samples and checkpoint go.
    """

    spec: UNetSpec
    settings: SpaceFile
    limits: Mapping[str, float]
    folder: Path


def evaluate(job: Job, progress: Progress) -> Evaluation:
    """Cost, then latency, then training; each can end the trial with its reason.

    ``progress(stage, done)`` hears of ``convert``, ``measure`` and ``wait``, each followed by ``on <device>``, of
    ``train``, ``sample`` and ``score``, done from 0 to 1.
    """
    cost = count(job.spec)
    known = Evaluation(status="complete", params_m=cost.params_m, macs_g=cost.macs_g)
    for name, value in (("params_m", cost.params_m), ("macs_g", cost.macs_g)):
        if value > job.limits.get(name, value):
            return gated(known, name, value, job.limits[name])
    try:
        for column, where in job.settings.latency_columns.items():
            latency = target_latency(job.spec, where, job.limits.get(column), progress)
            known = replace(known, latency=known.latency | {where.name: latency})
            if latency["median_ms"] > job.limits.get(column, math.inf):
                return gated(known, column, latency["median_ms"], job.limits[column], where.name)
        return replace(known, proxy=_train_proxy(job, progress))
    except (BadInput, RunFailed) as error:
        return replace(known, status="failed", reason=str(error))
    except Exception as error:  # a converter's or kernel's own failure ends this trial, not the study
        lines = str(error).strip().splitlines() or [""]
        return replace(known, status="failed", reason=f"{type(error).__name__}: {lines[0]}"[:300])


def measure_estimated(evaluation: Evaluation, job: Job, progress: Progress) -> Evaluation:
    """The evaluation with its estimated latencies measured; one that turns out over its limit is gated."""
    for column, where in job.settings.latency_columns.items():
        latency = evaluation.latency[where.name]
        if latency["provenance"]["kind"] != "estimated" or "not_measured" in latency:
            continue
        latency = measured_or_estimated(job.spec, where, progress)
        evaluation = replace(evaluation, latency=evaluation.latency | {where.name: latency})
        if latency["median_ms"] > job.limits.get(column, math.inf):
            return gated(evaluation, column, latency["median_ms"], job.limits[column], where.name)
    return evaluation


def gated(known: Evaluation, gate: str, value: float, limit: float, device: str = "") -> Evaluation:
    """The evaluation ended by a hard limit."""
    what = f"{gate} {value:.4g} on {device}" if device else f"{gate} {value:.4g}"
    return replace(known, status="gated", gate=gate, reason=f"{what} is over the limit of {limit:.4g}")


def target_latency(spec: UNetSpec, where: Measurement, limit: float | None, progress: Progress) -> dict[str, Any]:
    """Latency of the target, with its provenance: estimated where there is a table and its error band does not
    straddle the limit, else measured."""
    if where.table is not None:
        estimate = estimate_target(spec, where)
        if limit is None or not estimate["low_ms"] <= limit <= estimate["high_ms"]:
            return estimate
    return measured_or_estimated(spec, where, progress)


def measured_or_estimated(spec: UNetSpec, where: Measurement, progress: Progress) -> dict[str, Any]:
    """Latency of the target, measured; where the device fails and there is a table, estimated, with the reason under
    ``not_measured``.

    Raises:
        BadInput, RunFailed: the device fails and there is no table, or the table does not fit.
    """
    try:
        return measure_target(spec, where, progress)
    except Exception as error:  # whatever device or converter do, the table knows
        if where.table is None:
            raise
        return {**estimate_target(spec, where), "not_measured": str(error) or type(error).__name__}


def measure_target(spec: UNetSpec, where: Measurement, progress: Progress) -> dict[str, Any]:
    """`archlab.latency.measure` on one of the study's devices; its stages are told as ``measure on <name>``."""
    from archlab.latency import measure

    def told(stage: str, done: float) -> None:
        progress(f"{stage} on {where.name}", done)

    return measure(spec, **where.how(), progress=told).to_dict()


def estimate_target(spec: UNetSpec, where: Measurement) -> dict[str, Any]:
    """Latency of the target by the table of one of the study's devices; its error band is ``low_ms`` to ``high_ms``."""
    from archlab.latency import measure

    return measure(spec, mode="table", table=where.table, **where.how()).to_dict()


def _train_proxy(job: Job, progress: Progress) -> dict[str, Any]:
    from archlab.proxy import evaluate_proxy

    settings = job.settings
    result = evaluate_proxy(job.spec, settings.proxy, job.folder, seed=settings.search.seed, progress=progress)
    return result.to_dict()
