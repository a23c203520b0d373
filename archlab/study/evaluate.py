"""`evaluate`: the one function through which a study measures an architecture. Cheap before expensive."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from archlab.architecture import UNetSpec
from archlab.cost import count
from archlab.errors import BadInput, OutOfMemory, RunFailed
from archlab.evaluation import AnyLatency, Estimate, Evaluation, Latency, ProxyResult
from archlab.evaluation.measures import COSTS, OF_DEVICES, breaks, column_suffixes, find_column
from archlab.files import is_full
from archlab.latency.measurement import Measurement
from archlab.latency.plausibility import Measured, unlike_estimate, unlike_others
from archlab.proxy.settings import ProxySettings
from archlab.study.callbacks import Callbacks
from archlab.study.disk import DISK, Disk
from archlab.study.file import StudyFile

_ROUNDS = 4  # have together as many runs as one measurement
_LEAST_RUNS = 3  # of one round


@dataclass(frozen=True, kw_only=True)
class Job:
    """One architecture to evaluate.

    Attributes:
        baseline: the study's, whose proxy others may begin with or learn from.
        number: the trial's; None for the baseline.
        limits: resolved hard limits by column.
        folder: where curve, samples and checkpoint go.
        until: the rung at which its training is paused; None: it is trained to the last, or until it is stopped.
        paused: what its training came to where it was paused before; it goes on from there.
        latency: what is known of its latency, by device; it is not measured again.
        known: an evaluation of it whose estimated latencies are to be measured, and nothing else done.
        others: what other architectures took that were measured, by the name of the device: what is far off is measured
            once more before it is believed.
        micro_batch: images in memory at once; None: as the settings have it.
    """

    spec: UNetSpec
    settings: StudyFile
    limits: Mapping[str, float]
    folder: Path
    baseline: UNetSpec | None = None
    number: int | None = None
    until: int | None = None
    paused: Evaluation | None = None
    latency: Mapping[str, AnyLatency] = field(default_factory=dict)
    known: Evaluation | None = None
    others: Mapping[str, Sequence[Measured]] = field(default_factory=dict)
    micro_batch: int | None = None

    def halved(self) -> "Job | None":
        """The job with half the micro-batch, once; then None."""
        images = self.settings.proxy.micro_batch or self.settings.proxy.batch_size
        return None if self.micro_batch or images == 1 else replace(self, micro_batch=images // 2)


def measure_target(spec: UNetSpec, where: Measurement, callbacks: Callbacks) -> Latency:
    """`archlab.latency.measure` on one of the study's devices; its stages are reported as ``measure on <name>``."""
    from archlab.latency import measure

    def report(stage: str, done: float) -> None:
        callbacks.progress(f"{stage} on {where.name}", done)

    return measure(spec, **where.how(), progress=report, lock=callbacks.lock, doubt=callbacks.doubt)


def measure_again(spec: UNetSpec, where: Measurement, callbacks: Callbacks) -> Latency:
    """The same anew, whatever the cache has, with a quarter of runs and patience: for one round of several."""
    from archlab.latency import measure

    shorter = {
        "min_runs": max(_LEAST_RUNS, where.min_runs // _ROUNDS),
        "min_seconds": where.min_seconds / _ROUNDS,
        "quiet_timeout_s": where.quiet_timeout_s / _ROUNDS,
    }
    return measure(spec, **(where.how() | shorter), use_cache=False, progress=callbacks.progress, lock=callbacks.lock)


def estimate_target(spec: UNetSpec, where: Measurement) -> Estimate:
    """Latency of the target by the table of one of the study's devices; its error band is ``low_ms`` to ``high_ms``."""
    from archlab.latency import estimate

    return estimate(spec, table=where.table, **where.how())


def train_proxy(job: Job, callbacks: Callbacks, known: Evaluation) -> ProxyResult:
    """`archlab.proxy.evaluate.evaluate_proxy` of the job's architecture.

    Args:
        known: cost and latency, for whoever decides at a rung.
    """
    from archlab.proxy.evaluate import evaluate_proxy

    settings = job.settings
    return evaluate_proxy(
        job.spec,
        settings.proxy,
        job.folder,
        baseline=job.baseline,
        seed=settings.search.seed,
        micro_batch=job.micro_batch,
        progress=callbacks.progress,
        goes_on=lambda rung, qualities: callbacks.goes_on(rung, qualities, known),
        until=job.until,
    )


def score_untrained(spec: UNetSpec, settings: ProxySettings) -> float | None:
    """`archlab.proxy.untrained.naswot_of_proxy`."""
    from archlab.proxy.untrained import naswot_of_proxy

    return naswot_of_proxy(spec, settings)


@dataclass(frozen=True, kw_only=True)
class Stages:
    """The stages of an evaluation that take their time, each a function; see the default ones."""

    measure: Callable[[UNetSpec, Measurement, Callbacks], Latency] = measure_target
    again: Callable[[UNetSpec, Measurement, Callbacks], Latency] = measure_again
    estimate: Callable[[UNetSpec, Measurement], Estimate] = estimate_target
    train: Callable[[Job, Callbacks, Evaluation], ProxyResult] = train_proxy
    score: Callable[[UNetSpec, ProxySettings], float | None] = score_untrained


STAGES = Stages()


def evaluate(job: Job, callbacks: Callbacks, *, stages: Stages = STAGES, disk: Disk = DISK) -> Evaluation:
    """Cost, then latency, then training, rung by rung; each can end the trial with its reason.

    Out of memory, it trains once more with half the micro-batch. On a full disk it waits.

    Args:
        callbacks: their ``progress`` hears of ``convert``, ``measure`` and ``wait``, each followed by ``on <device>``,
            of ``images``, ``encode``, ``reference``, ``train the baseline``, ``train``, ``sample``, ``score`` and
            ``wait for room``, done from 0 to 1.
        stages: how latency is measured and a proxy is trained.
        disk: how a full disk is waited for.
    """
    known = job.known or costed(job.spec, job.limits)
    if job.paused is not None:
        known = replace(known, latency=job.paused.latency)
    if known.gate:
        return known
    while True:
        try:
            if job.known is not None:
                return measure_estimated(job.known, job, callbacks, stages)
            for where in job.settings.measure:
                if where.name not in known.latency:
                    latency = job.latency.get(where.name) or target_latency(job, where, callbacks, stages)
                    known = _with_latency(known, where.name, latency, job)
                    if known.gate:
                        return known
            return _trained(known, job, callbacks, stages)
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
            disk.wait_for_room(job.folder, lambda _: callbacks.progress("wait for room", 0.0), was_refused=True)


def costed(spec: UNetSpec, limits: Mapping[str, float]) -> Evaluation:
    """The cost by formula; gated where it is over a limit."""
    cost = count(spec)
    known = Evaluation(status="complete", params_m=cost.params_m, macs_g=cost.macs_g)
    return gated_by(known, {name: limits[name] for name in COSTS if name in limits})


def in_one_line(error: BaseException) -> str:
    """``ValueError: what it says first``"""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"[:300]


def measure_estimated(evaluation: Evaluation, job: Job, callbacks: Callbacks, stages: Stages = STAGES) -> Evaluation:
    """The evaluation with its estimated latencies measured; one that turns out over its limit is gated."""
    for where in job.settings.measure:
        latency = evaluation.latency[where.name]
        if not isinstance(latency, Estimate) or latency.not_measured is not None:
            continue
        latency = measured_or_estimated(job.spec, where, _doubting(job, where, callbacks, stages), stages)
        evaluation = _with_latency(evaluation, where.name, latency, job)
        if evaluation.gate:
            return evaluation
    return evaluation


def target_latency(job: Job, where: Measurement, callbacks: Callbacks, stages: Stages = STAGES) -> AnyLatency:
    """Latency of the target: estimated where there is a table, its error band decides the limit, and the study asks for
    nothing else that the device decides; else measured."""
    if where.table is not None:
        estimate = stages.estimate(job.spec, where)
        columns = _named_columns(job, where.name)
        limit = job.limits.get(columns.get("latency_ms", ""))
        is_decided = limit is None or not estimate.low_ms <= limit <= estimate.high_ms
        if is_decided and columns.keys() <= {"latency_ms"}:
            return estimate
    return measured_or_estimated(job.spec, where, _doubting(job, where, callbacks, stages), stages)


def _doubting(job: Job, where: Measurement, callbacks: Callbacks, stages: Stages) -> Callbacks:
    """The callbacks, with a doubt about what neither the table nor the study's other architectures lead to."""

    def doubt(latency: Latency) -> str | None:
        if where.table is not None:
            return unlike_estimate(latency.median_ms, stages.estimate(job.spec, where))
        one = Measured(count(job.spec).macs_g, latency.median_ms)
        return unlike_others(one, job.others.get(where.name, ()))

    return replace(callbacks, doubt=doubt)


def measured_or_estimated(
    spec: UNetSpec, where: Measurement, callbacks: Callbacks, stages: Stages = STAGES
) -> AnyLatency:
    """Latency of the target, measured; where the device fails and there is a table, estimated, with the reason.

    Raises:
        BadInput, RunFailed: the device fails and there is no table, or the table does not fit.
    """
    try:
        return stages.measure(spec, where, callbacks)
    except Exception as error:  # whatever device or converter do, the table knows
        if where.table is None:
            raise
        return replace(stages.estimate(spec, where), not_measured=str(error) or type(error).__name__)


def _trained(known: Evaluation, job: Job, callbacks: Callbacks, stages: Stages) -> Evaluation:
    proxy = stages.train(job, callbacks, known)
    if proxy.stopped_at is not None:
        return replace(known, status="stopped", reason=f"stopped at {proxy.stopped_at} steps", proxy=proxy)
    known = replace(known, proxy=proxy)
    named = [*job.settings.objectives, *job.limits]
    of_training = [name for name in named if (found := find_column(name)) and found.measure.is_score]
    for name in of_training:
        if known.value(name) is None:
            raise RunFailed(
                f"{name} was not scored, which objectives or constraints name; docs/scores.md has its needs"
            )
    return gated_by(known, {name: job.limits[name] for name in of_training if name in job.limits})


def _named_columns(job: Job, device: str) -> dict[str, str]:
    """What is measured on one of the study's devices and objectives or limits name: columns by measure."""
    suffix = column_suffixes(job.settings.devices)[device]
    named = {*job.settings.objectives, *job.limits}
    return {measure: column for measure in OF_DEVICES if (column := f"{measure}{suffix}") in named}


def _with_latency(known: Evaluation, device: str, latency: AnyLatency, job: Job) -> Evaluation:
    """The evaluation with a device's latency; gated where that, or its memory or size, is over a limit.

    A noisy latency is over it only where its fastest burst is.

    Raises:
        RunFailed: the device does not tell what objectives or limits name.
    """
    known = replace(known, latency=known.latency | {device: latency})
    columns = _named_columns(job, device)
    for measure, column in columns.items():
        if known.value(column) is None:
            raise RunFailed(missing_measure(measure, device, latency))
    limits = {column: job.limits[column] for column in columns.values() if column in job.limits}
    limit = limits.get(columns.get("latency_ms", ""))
    if limit is not None and isinstance(latency, Latency) and latency.noisy and latency.minimum_ms <= limit:
        del limits[columns["latency_ms"]]  # the noise may be all that is over it
    return gated_by(known, limits, device)


def missing_measure(measure: str, device: str, latency: AnyLatency) -> str:
    """Why a device's measure is not known though objectives or constraints name it, in one line."""
    if isinstance(latency, Estimate) and latency.not_measured:
        return f"{measure} of {device} was not measured, and no table estimates it: {latency.not_measured}"
    return f"{device} does not tell its {measure}; take it out of objectives and constraints"


def gated_by(known: Evaluation, limits: Mapping[str, float], device: str = "") -> Evaluation:
    """The evaluation, ended by the first of these limits that it breaks."""
    for name, limit in limits.items():
        value = known.value(name)
        if value is not None and breaks(name, value, limit):
            what = f"{name} {value:.4g} on {device}" if device else f"{name} {value:.4g}"
            beyond = "over" if value > limit else "under"
            return replace(known, status="gated", gate=name, reason=f"{what} is {beyond} the limit of {limit:.4g}")
    return known
