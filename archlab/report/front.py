"""Quality against cost: what every drawing of the front shows."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from archlab.analysis.table import StudyTable
from archlab.report.cards import Picks
from archlab.report.labels import cost_axis, quality_axis, unit
from archlab.report.table import (
    baseline_row,
    cost_column,
    estimated,
    feasible,
    front_trials,
    is_known,
    kind_column,
    scored,
    text,
)

STATUSES = {"failed": "failed", "stopped": "stopped at a rung", "gated": "over a limit"}  # of trials without a score


class Point(NamedTuple):
    """A trial with both numbers."""

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
        front, dominated: complete trials within the limits, by cost.
        infeasible: trials with a quality that are over a hard limit.
        staircase: the points of ``front`` that no other dominates in these two numbers, by cost.
        unscored: trials gated, stopped at a rung or failed after their cost was known.
        unmeasured: trials that ended so before it was.
        incomparable: complete trials left out because their quality bears another label.
        limit: the hard limit on the cost.
        estimated: trials whose cost is estimated; they are drawn hollow.
        baseline_cost, baseline_quality: None where not measured.
        picks: trial number → what it was picked as.
    """

    study: str
    cost: str
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
    limit: float | None
    baseline_cost: float | None
    baseline_estimated: bool
    baseline_quality: float | None
    picks: dict[int, str]
    objectives: int


def front_info(study: StudyTable, picks: Picks | None = None, cost: str | None = None) -> FrontInfo:
    """What the chart of the front against a cost shows. A repeated trial is shown once, as the original."""
    cost, trials = cost or cost_column(study), study.trials
    good = scored(study, cost)
    within = feasible(good, study.limits)
    on_front = good["trial"].isin(front_trials(study)) & within
    ended = trials[trials["status"].isin(STATUSES)]
    costs = pd.to_numeric(ended[cost]) if cost in ended else pd.Series(float("nan"), index=ended.index)
    has_quality = ended["quality"].notna()
    complete = int((trials["status"] == "complete").sum())
    front = _points(good[on_front], cost)
    baseline = baseline_row(study)
    return FrontInfo(
        study=study.name,
        cost=cost,
        cost_title=cost_axis(cost, study),
        cost_unit=unit(cost),
        quality_title=quality_axis(study),
        front=front,
        dominated=_points(good[within & ~on_front], cost),
        infeasible=sorted(
            _points(good[~within], cost) + _points(ended[costs.notna() & has_quality], cost),
            key=lambda point: point.cost,
        ),
        staircase=non_dominated(front),
        unscored=_unscored(ended[costs.notna() & ~has_quality], cost),
        unmeasured=int(costs.isna().sum()),
        incomparable=complete - len(good),
        estimated=estimated(study, cost),
        limit=_number(study.limits, cost),
        baseline_cost=_number(baseline, cost),
        baseline_estimated=baseline.get(kind_column(cost)) == "estimated",
        baseline_quality=_number(baseline, "quality"),
        picks=_names_by_trial(picks or {}),
        objectives=len(study.objectives),
    )


def endings(info: FrontInfo) -> dict[str, str]:
    """Those of `STATUSES` that unscored trials have, each with its words."""
    found = {trial.status for trial in info.unscored}
    return {status: words for status, words in STATUSES.items() if status in found}


def baseline_label(info: FrontInfo) -> str:
    """``baseline 26.4 ms``; an estimate says so."""
    return f"baseline {text(info.baseline_cost)} {info.cost_unit}{' (estimated)' * info.baseline_estimated}"


def non_dominated(points: Sequence[Point]) -> list[Point]:
    """Points that no other one beats in cost without losing quality, by rising cost."""
    kept: list[Point] = []
    for point in sorted(points, key=lambda p: (p.cost, p.quality)):
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
    if info.baseline_quality is not None:
        qualities.append(info.baseline_quality)
    return _padded(low, high), _padded(min(qualities), max(qualities)) if qualities else (0.0, 1.0)


def _padded(low: float, high: float) -> tuple[float, float]:
    margin = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    return low - margin, high + margin


def _points(rows: pd.DataFrame, cost: str) -> list[Point]:
    points = (
        Point(int(trial), float(value), float(quality))
        for trial, value, quality in zip(rows["trial"], rows[cost], rows["quality"], strict=True)
    ) if len(rows) else ()  # fmt: skip
    return sorted(points, key=lambda point: (point.cost, point.quality))


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
