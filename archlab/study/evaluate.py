"""`evaluate`: the one function through which a study measures an architecture. Cheap before dear."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archlab.architecture import UNetSpec
from archlab.cost import count
from archlab.errors import BadInput, OutOfMemory, RunFailed
from archlab.progress import Progress
from archlab.space.settings import Measurement, SpaceFile
from archlab.study.callbacks import Callbacks
from archlab.study.disk import is_full, wait_for_room
from archlab.study.record import Evaluation


@dataclass(frozen=True, kw_only=True)
class Job:
    """One architecture to evaluate.

    Attributes:
        baseline: the study's, whose proxy others may begin with or learn from.
        number: the trial's; None for the baseline.
        limits: resolved hard limits: ``params_m``, ``macs_g``, ``latency_ms`` and its like.
        folder: where curve, samples and checkpoint go.
        known: an evaluation of it whose estimated latencies are to be measured, and nothing else done.
        micro_batch: images in memory at once; None: as the settings have it.
    """

    spec: UNetSpec
    settings: SpaceFile
    limits: Mapping[str, float]
    folder: Path
    baseline: UNetSpec | None = None
    number: int | None = None
    known: Evaluation | None = None
    micro_batch: int | None = None

    def halved(self) -> "Job | None":
        """The job with half the micro-batch, once; then None."""
        images = self.settings.proxy.micro_batch or self.settings.proxy.batch_size
        return None if self.micro_batch or images == 1 else replace(self, micro_batch=images // 2)


def evaluate(job: Job, callbacks: Callbacks) -> Evaluation:
    """Cost, then latency, then training, rung by rung; each can end the trial with its reason.

    Out of memory, it trains once more with half the micro-batch. On a full disk it waits.

    Args:
        callbacks: their ``progress`` hears of ``convert``, ``measure`` and ``wait``, each followed by ``on <device>``,
            of ``images``, ``encode``, ``reference``, ``train the baseline``, ``train``, ``sample``, ``score`` and
            ``wait for room``, done from 0 to 1.
    """
    known = job.known or costed(job.spec, job.limits)
    if known.gate:
        return known
    while True:
        try:
            if job.known is not None:
                return measure_estimated(job.known, job, callbacks)
            for column, where in job.settings.latency_columns.items():
                if where.name not in known.latency:
                    latency = target_latency(job.spec, where, job.limits.get(column), callbacks)
                    known = replace(known, latency=known.latency | {where.name: latency})
                    if latency["median_ms"] > job.limits.get(column, math.inf):
                        return gated(known, column, latency["median_ms"], job.limits[column], where.name)
            return _trained(known, job, callbacks)
        except OutOfMemory as error:
            smaller = job.halved()
            if smaller is None:
                return replace(known, status="failed", reason=str(error))
            job = smaller
        except (BadInput, RunFailed) as error:
            return replace(known, status="failed", reason=str(error))
        except Exception as error:  # a converter's or kernel's own failure ends this trial, not the study
            if not is_full(error):
                return replace(known, status="failed", reason=in_one_line(error))
            wait_for_room(job.folder, lambda _: callbacks.progress("wait for room", 0.0), was_refused=True)


def costed(spec: UNetSpec, limits: Mapping[str, float]) -> Evaluation:
    """The cost by formula; gated where it is over a limit."""
    cost = count(spec)
    known = Evaluation(status="complete", params_m=cost.params_m, macs_g=cost.macs_g)
    for name, value in (("params_m", cost.params_m), ("macs_g", cost.macs_g)):
        if value > limits.get(name, value):
            return gated(known, name, value, limits[name])
    return known


def in_one_line(error: BaseException) -> str:
    """``ValueError: what it says first``"""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"[:300]


def measure_estimated(evaluation: Evaluation, job: Job, callbacks: Callbacks) -> Evaluation:
    """The evaluation with its estimated latencies measured; one that turns out over its limit is gated."""
    for column, where in job.settings.latency_columns.items():
        latency = evaluation.latency[where.name]
        if latency["provenance"]["kind"] != "estimated" or "not_measured" in latency:
            continue
        latency = measured_or_estimated(job.spec, where, callbacks)
        evaluation = replace(evaluation, latency=evaluation.latency | {where.name: latency})
        if latency["median_ms"] > job.limits.get(column, math.inf):
            return gated(evaluation, column, latency["median_ms"], job.limits[column], where.name)
    return evaluation


def gated(known: Evaluation, gate: str, value: float, limit: float, device: str = "") -> Evaluation:
    """The evaluation ended by a hard limit."""
    what = f"{gate} {value:.4g} on {device}" if device else f"{gate} {value:.4g}"
    return replace(known, status="gated", gate=gate, reason=f"{what} is over the limit of {limit:.4g}")


def target_latency(spec: UNetSpec, where: Measurement, limit: float | None, callbacks: Callbacks) -> dict[str, Any]:
    """Latency of the target, with its provenance: estimated where there is a table and its error band does not
    straddle the limit, else measured."""
    if where.table is not None:
        estimate = estimate_target(spec, where)
        if limit is None or not estimate["low_ms"] <= limit <= estimate["high_ms"]:
            return estimate
    return measured_or_estimated(spec, where, callbacks)


def measured_or_estimated(spec: UNetSpec, where: Measurement, callbacks: Callbacks) -> dict[str, Any]:
    """Latency of the target, measured; where the device fails and there is a table, estimated, with the reason under
    ``not_measured``.

    Raises:
        BadInput, RunFailed: the device fails and there is no table, or the table does not fit.
    """
    try:
        return measure_target(spec, where, callbacks)
    except Exception as error:  # whatever device or converter do, the table knows
        if where.table is None:
            raise
        return {**estimate_target(spec, where), "not_measured": str(error) or type(error).__name__}


def measure_target(spec: UNetSpec, where: Measurement, callbacks: Callbacks) -> dict[str, Any]:
    """`archlab.latency.measure` on one of the study's devices; its stages are reported as ``measure on <name>``."""
    from archlab.latency import measure

    def report(stage: str, done: float) -> None:
        callbacks.progress(f"{stage} on {where.name}", done)

    return measure(spec, **where.how(), progress=report, lock=callbacks.lock).to_dict()


def estimate_target(spec: UNetSpec, where: Measurement) -> dict[str, Any]:
    """Latency of the target by the table of one of the study's devices; its error band is ``low_ms`` to ``high_ms``."""
    from archlab.latency import estimate

    return estimate(spec, table=where.table, **where.how()).to_dict()


def _trained(known: Evaluation, job: Job, callbacks: Callbacks) -> Evaluation:
    proxy = _train_proxy(job, callbacks.progress, lambda rung, qualities: callbacks.judge(rung, qualities, known))
    rung = proxy.get("stopped_at")
    if rung is not None:
        return replace(known, status="stopped", reason=f"stopped at {rung} steps", proxy=proxy)
    return replace(known, proxy=proxy)


def _train_proxy(job: Job, progress: Progress, judge: Callable[[int, Sequence[float]], bool]) -> dict[str, Any]:
    from archlab.proxy import evaluate_proxy

    settings = job.settings
    result = evaluate_proxy(
        job.spec,
        settings.proxy,
        job.folder,
        baseline=job.baseline,
        seed=settings.search.seed,
        micro_batch=job.micro_batch,
        progress=progress,
        judge=judge,
    )
    return result.to_dict()
