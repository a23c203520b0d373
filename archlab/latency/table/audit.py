"""How good a table is, on architectures that it was not fitted on."""

import time
from dataclasses import dataclass
from statistics import fmean, median

from scipy.stats import kendalltau

from archlab.errors import BadInput
from archlab.latency.table.fit import Fit
from archlab.latency.table.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Estimates against measurements of held-out architectures.

    Attributes:
        architectures: how many.
        mape_percent: mean absolute error in percent of the measurement.
        worst_percent: the largest.
        kendall_tau: rank correlation (τ-b): 1 where all pairs are in the right order. None for fewer than two.
        coverage: share of the measurements within the band.
        estimate_ms: time that one estimate takes, the table read.
        measure_ms: time that converting and measuring one architecture once took.
        ratio: measure_ms ÷ estimate_ms.
    """

    architectures: int
    mape_percent: float
    worst_percent: float
    kendall_tau: float | None
    coverage: float
    estimate_ms: float
    measure_ms: float
    ratio: float


def audit(table: Table, fitted: Fit) -> Audit:
    """Estimate every held-out architecture.

    Raises:
        BadInput: the table has none that are measured.
    """
    held_out = {spec: timing for spec, timing in table.whole["check"].items() if timing.bursts}
    if not held_out:
        raise BadInput("no held-out architecture is measured; build the table with --check 20")
    measured = [timing.ratio * table.reference_ms for timing in held_out.values()]
    estimated, seconds = [], []
    for spec in held_out:
        started = time.perf_counter()
        estimated.append(fitted.predict_ms(spec))
        seconds.append(time.perf_counter() - started)
    errors = [abs(ours - theirs) / theirs for ours, theirs in zip(estimated, measured, strict=True)]
    covered = [abs(theirs / ours - 1) <= fitted.band for ours, theirs in zip(estimated, measured, strict=True)]
    estimate_ms = median(seconds) * 1e3
    measure_ms = median(timing.seconds for timing in held_out.values()) * 1e3
    return Audit(
        architectures=len(held_out),
        mape_percent=100 * fmean(errors),
        worst_percent=100 * max(errors),
        kendall_tau=float(kendalltau(estimated, measured).statistic) if len(held_out) > 1 else None,
        coverage=fmean(covered),
        estimate_ms=estimate_ms,
        measure_ms=measure_ms,
        ratio=measure_ms / estimate_ms,
    )
