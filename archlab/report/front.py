"""Quality against cost: what every drawing of the front shows."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import pandas as pd

from archlab.analysis.noise import ends, equals, noisy_trials, quality_margin
from archlab.analysis.table import StudyTable
from archlab.evaluation.evaluation import kind_column, noisy_column
from archlab.evaluation.measures import MEASURES, Direction, Measure, beyond, find_column
from archlab.report.cards import Picks
from archlab.report.labels import axis, device_of, heading, unit
from archlab.report.snapshot import once
from archlab.report.table import (
    baseline_row,
    charted_cost,
    estimated,
    feasible,
    front_trials,
    further_objectives,
    is_known,
    scored,
    text,
)

STATUSES = ("failed", "stopped", "gated")  # of trials without a score


class Point(NamedTuple):
    """A trial with both numbers; ``cost``: the one that quality is charted against."""

    trial: int
    cost: float
    quality: float


class Unscored(NamedTuple):
    """A trial whose cost is known and that has no quality."""

    trial: int
    cost: float
    status: str


class FrontInfo(NamedTuple):
    """The front chart as data.

    Attributes:
        measure: what quality is charted against, a cost unless the study has no cost among its objectives.
        front, dominated: complete trials within the limits, by cost, the best first.
        infeasible: trials with a quality that are over a hard limit.
        staircase: the points of ``front`` that no other dominates in these two numbers, by cost.
        unscored: trials gated, stopped at a rung or failed after their cost was known.
        unmeasured: trials that ended so before it was.
        incomparable: complete trials left out because their quality bears another label.
        beyond: what trials that break a limit are called: over, under or beyond one.
        limit: the hard limit on the cost.
        estimated: trials whose cost is estimated; they are drawn hollow.
        noisy: trials whose cost is noisy; they are drawn hollow, with a dot or dotted.
        intervals: both ends of the cost of what is on the front or noisy, by trial, where an interval is known.
        margins: half of each quality's 95 % interval, by trial, where it is known.
        equals: pairs of trials on the front whose costs are within the noise of measuring, the cheaper first.
        baseline_cost, baseline_quality, baseline_margin: None where not known.
        picks: trial number → what it was picked as.
    """

    study: str
    cost: str
    measure: Measure
    cost_title: str
    cost_unit: str
    quality_title: str
    front: list[Point]
    dominated: list[Point]
    infeasible: list[Point]
    staircase: list[Point]
    unscored: list[Unscored]
    unmeasured: int
    incomparable: int
    estimated: set[int]
    noisy: set[int]
    intervals: dict[int, tuple[float, float]]
    margins: dict[int, float]
    equals: list[tuple[int, int]]
    beyond: str
    limit: float | None
    baseline_cost: float | None
    baseline_estimated: bool
    baseline_noisy: bool
    baseline_quality: float | None
    baseline_margin: float | None
    picks: dict[int, str]
    objectives: int


@once
def front_info(study: StudyTable, picks: Picks | None = None, cost: str | None = None) -> FrontInfo:
    """What the chart of the front against a cost shows. A repeated trial is shown once, as the original."""
    cost, trials = cost or charted_cost(study), study.trials
    found = find_column(cost)
    measure = found.measure if found else MEASURES["macs_g"]
    good = scored(study, cost)
    within = feasible(good, study.limits)
    on_front = good["trial"].isin(front_trials(study)) & within
    ended = trials[trials["status"].isin(STATUSES)]
    costs = pd.to_numeric(ended[cost]) if cost in ended else pd.Series(float("nan"), index=ended.index)
    has_quality = ended["quality"].notna()
    complete = int((trials["status"] == "complete").sum())
    front = _points(good[on_front], cost, measure)
    baseline = baseline_row(study)
    return FrontInfo(
        study=study.name,
        cost=cost,
        measure=measure,
        cost_title=axis(cost, study),
        cost_unit=unit(cost),
        quality_title=axis("quality", study),
        front=front,
        dominated=_points(good[within & ~on_front], cost, measure),
        infeasible=sorted(
            _points(good[~within], cost, measure) + _points(ended[costs.notna() & has_quality], cost, measure),
            key=lambda point: point.cost,
        ),
        staircase=non_dominated(front, measure.direction),
        unscored=_unscored(ended[costs.notna() & ~has_quality], cost),
        unmeasured=int(costs.isna().sum()),
        incomparable=complete - len(good),
        estimated=estimated(study, cost),
        noisy=noisy_trials(trials, cost),
        intervals=_intervals(trials, cost, {point.trial for point in front}),
        margins=_margins(good, study),
        equals=_equals(good[on_front], cost),
        beyond=f"{beyond(study.limits)} a limit",
        limit=_number(study.limits, cost),
        baseline_cost=_number(baseline, cost),
        baseline_estimated=baseline.get(kind_column(cost) or "") == "estimated",
        baseline_noisy=baseline.get(noisy_column(cost) or "") is True,
        baseline_quality=_number(baseline, "quality"),
        baseline_margin=quality_margin(dict(baseline.items()), study.proxy.seeds),
        picks=_names_by_trial(picks or {}),
        objectives=len(study.objectives),
    )


def endings(info: FrontInfo) -> dict[str, str]:
    """Those of `STATUSES` that unscored trials have, each with its words."""
    found = {trial.status for trial in info.unscored}
    words = {"failed": "failed", "stopped": "stopped at a rung", "gated": info.beyond}
    return {status: words[status] for status in STATUSES if status in found}


def baseline_label(info: FrontInfo) -> str:
    """``baseline 26.4 ms``; what is estimated or noisy says so."""
    doubt = " (estimated)" * info.baseline_estimated + " (noisy)" * info.baseline_noisy
    return f"baseline {with_unit(info.baseline_cost, info)}{doubt}"


def with_unit(value: float | None, info: FrontInfo) -> str:
    """A value of what quality is charted against."""
    return f"{text(value)} {info.cost_unit}".strip()


def further_charts(study: StudyTable) -> dict[str, tuple[str, str]]:
    """Objectives that have a chart of the front of their own, each with the chart's name in files and its title."""
    charts = {}
    for column in further_objectives(study):
        found, device = find_column(column), device_of(column, study)
        is_latency = found is not None and found.measure.name == "latency_ms"
        charts[column] = (device, device) if is_latency else (column, heading(column, study))
    return {
        column: (name, f"The front on {shown}" if name != column else f"The front by {shown}")
        for column, (name, shown) in charts.items()
    }


def non_dominated(points: Sequence[Point], cost: Direction = "minimize") -> list[Point]:
    """Points that no other one beats in cost without losing quality, from the best cost on."""
    kept: list[Point] = []
    sign = 1 if cost == "minimize" else -1
    for point in sorted(points, key=lambda p: (sign * p.cost, p.quality)):
        if not kept or point.quality < kept[-1].quality:
            kept.append(point)
    return kept


def view(info: FrontInfo) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Ranges of cost and quality that show every scored trial, the limit and the baseline; None without any.

    Costs of unscored trials widen it by at most half: one very slow candidate does not squash the chart.
    """
    points = info.front + info.dominated + info.infeasible
    marks = [value for value in (info.limit, info.baseline_cost) if value is not None]
    costs = [point.cost for point in points] + marks
    if not costs:
        costs = [trial.cost for trial in info.unscored]
    if not costs:
        return None
    low, high = min(costs), max(costs)
    reach = [trial.cost for trial in info.unscored if low / 1.5 <= trial.cost <= high * 1.5]
    low, high = min([low, *reach]), max([high, *reach])
    qualities = [point.quality for point in points]
    for point in info.front:
        margin = info.margins.get(point.trial, 0.0)
        qualities += [point.quality - margin, point.quality + margin]
    if info.baseline_quality is not None:
        qualities.append(info.baseline_quality)
    return _padded(low, high), _padded(min(qualities), max(qualities)) if qualities else (0.0, 1.0)


def _padded(low: float, high: float) -> tuple[float, float]:
    margin = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    return low - margin, high + margin


def _points(rows: pd.DataFrame, cost: str, measure: Measure) -> list[Point]:
    points = (
        Point(int(trial), float(value), float(quality))
        for trial, value, quality in zip(rows["trial"], rows[cost], rows["quality"], strict=True)
    ) if len(rows) else ()  # fmt: skip
    sign = 1 if measure.direction == "minimize" else -1
    return sorted(points, key=lambda point: (sign * point.cost, point.quality))


def _intervals(trials: pd.DataFrame, cost: str, front: set[int]) -> dict[int, tuple[float, float]]:
    if cost not in trials:
        return {}
    rows = trials[trials["trial"].isin(front | noisy_trials(trials, cost)) & trials[cost].notna()]
    found = ends(rows, cost)
    each = zip(rows["trial"], found["low"], found["high"], strict=True)
    return {int(trial): (float(low), float(high)) for trial, low, high in each if low < high}


def _margins(rows: pd.DataFrame, study: StudyTable) -> dict[int, float]:
    found = {int(row["trial"]): quality_margin(row, study.proxy.seeds) for row in rows.to_dict("records")}
    return {trial: margin for trial, margin in found.items() if margin is not None}


def _equals(front: pd.DataFrame, cost: str) -> list[tuple[int, int]]:
    """Neighbours by cost, so that of three equals not every pair is named."""
    order = [int(trial) for trial in front.sort_values(cost)["trial"]]
    return [(one, other) for one, other in pairwise(order) if other in equals(front, cost, one)]


def _unscored(rows: pd.DataFrame, cost: str) -> list[Unscored]:
    if rows.empty:
        return []
    found = zip(rows["trial"], rows[cost], rows["status"], strict=True)
    return [Unscored(int(trial), float(value), str(status)) for trial, value, status in found]


def _names_by_trial(picks: Picks) -> dict[int, str]:
    names: dict[int, list[str]] = {}
    for name, number in picks.items():
        names.setdefault(int(number), []).append(name)
    return {number: ", ".join(found) for number, found in names.items()}


def _number(row: Mapping[str, object], key: str) -> float | None:
    value = row.get(key)
    return float(value) if isinstance(value, (int, float)) and is_known(value) else None
