"""What became of the trials, and how the front grew."""

import re
from bisect import bisect_left
from collections import Counter
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go

from archlab.report.cards import Card, NotYetError, Picks
from archlab.report.labels import heading
from archlab.report.style import FRONT, figure_layout
from archlab.report.table import StudyTable, cost_column, feasible, scored


class Counts(NamedTuple):
    """How many trials were asked for, and how each ended; reasons without their numbers."""

    wanted: int
    asked: int
    trained: int
    gated: dict[str, int]
    failed: dict[str, int]
    repeated: int

    def sentence(self) -> str:
        """``40 asked: 23 trained, 11 stopped early, 2 failed. The budget is 40 distinct architectures.``"""
        gated, failed = sum(self.gated.values()), sum(self.failed.values())
        ends = [f"{self.trained} trained"]
        ends += [f"{gated} stopped early"] if gated else []
        ends += [f"{failed} failed"] if failed else []
        ends += [f"{self.repeated} answered by an earlier trial"] if self.repeated else []
        return (
            f"{self.asked} asked: {', '.join(ends)}. The budget is {self.wanted} distinct architectures."
            if self.asked
            else "No trial was asked yet."
        )


class HistoryInfo(NamedTuple):
    """How good the study was after each trial; rises with hypervolume, falls with ``best``."""

    kind: str  # "hypervolume" or "best"
    trials: list[int]
    values: list[float]


def history_card(study: StudyTable, picks: Picks) -> Card:
    """The growth of the front and the fate of every trial."""
    found = counts(study)
    if not found.asked:
        raise NotYetError("No trial has finished yet.")
    info = history_info(study)
    if info is None:
        how = "The growth of the front is drawn once two trained trials differ in both numbers."
    elif info.kind == "best":
        how = "The line is the best quality so far; lower is better."
    else:
        how = (
            "The line is the share of the area between the best and the worst trained trial that the front "
            "covers (hypervolume). A new end of the front that is worst in the other number adds no area."
        )
    return Card(
        key="history",
        title="History",
        sentence=f"{found.sentence()} {how}",
        data=_ends(found),
        figure=history_figure(info, study) if info else None,
    )


def counts(study: StudyTable) -> Counts:
    """Count the trials by how they ended."""
    trials = study.trials

    def reasons(status: str) -> dict[str, int]:
        rows = trials[trials["status"] == status]
        kinds = (_kind(gate, reason, study) for gate, reason in zip(rows["gate"], rows["reason"], strict=True))
        return dict(Counter(kinds).most_common())

    return Counts(
        wanted=study.trials_wanted,
        asked=len(trials),
        trained=int((trials["status"] == "complete").sum()),
        gated=reasons("gated"),
        failed=reasons("failed"),
        repeated=int((trials["status"] == "repeat").sum()),
    )


def history_info(study: StudyTable) -> HistoryInfo | None:
    """Hypervolume of quality and charted cost after each trained trial; with one objective, the best so far.

    Both are scaled to [0, 1] between the best and the worst trained trial; the reference point is (1, 1).

    None where there is nothing to measure: no trained trial, or all equal in one of the numbers.
    """
    rows = scored(study).sort_values("trial")
    rows = rows[feasible(rows, study.limits)]
    if rows.empty:
        return None
    trials = [int(number) for number in rows["trial"]]
    if len(study.objectives) == 1:
        best = pd.to_numeric(rows[study.objectives[0]]).cummin()
        return HistoryInfo("best", trials, [float(value) for value in best])
    pair = [pd.to_numeric(rows[name]) for name in (cost_column(study), "quality")]
    if any(values.min() == values.max() for values in pair):
        return None
    scaled = [(values - values.min()) / (values.max() - values.min()) for values in pair]
    return HistoryInfo("hypervolume", trials, _hypervolumes(list(zip(*scaled, strict=True))))


def history_figure(info: HistoryInfo, study: StudyTable) -> Any:
    """One step line over the trials."""
    best = info.kind == "best"
    figure = go.Figure(layout=figure_layout())
    figure.add_scatter(
        x=info.trials,
        y=info.values if best else [100 * value for value in info.values],
        mode="lines+markers",
        line={"color": FRONT, "width": 2, "shape": "hv"},
        marker={"size": 5},
        hovertemplate="after trial %{x}<br>%{y:.4g}" + ("" if best else " %") + "<extra></extra>",
    )
    figure.update_xaxes(title="trial")
    title = (
        f"best {heading('quality', study)} so far · lower is better" if best else "area covered (%) · higher is better"
    )
    figure.update_yaxes(title=title, rangemode="normal" if best else "tozero")
    return figure


def _hypervolumes(points: list[tuple[float, float]]) -> list[float]:
    """Area dominated within the unit square after each point, by keeping the front sorted."""
    xs: list[float] = []
    ys: list[float] = []  # falling, as xs rise
    area, areas = 0.0, []
    for x, y in points:
        at = bisect_left(xs, x)
        dominated = (at > 0 and ys[at - 1] <= y) or (at < len(xs) and xs[at] == x and ys[at] <= y)
        if not dominated:
            end = at
            while end < len(xs) and ys[end] >= y:
                end += 1
            xs[at:end], ys[at:end] = [x], [y]
            edges = [*xs[1:], 1.0]
            area = sum((right - left) * (1 - height) for left, right, height in zip(xs, edges, ys, strict=True))
        areas.append(area)
    return areas


def _kind(gate: object, reason: object, study: StudyTable) -> str:
    if gate in study.limits:
        return f"{heading(str(gate), study)} over the limit"
    words = str(reason) if reason else "no reason recorded"
    return re.sub(r"[-+]?\d[\d.]*(e[-+]?\d+)?", "…", words)


def _ends(found: Counts) -> pd.DataFrame:
    rows = [("trained", "", found.trained)]
    rows += [("stopped", reason, number) for reason, number in found.gated.items()]
    rows += [("failed", reason, number) for reason, number in found.failed.items()]
    rows += (
        [("repeat", "answered by an earlier trial of the same architecture", found.repeated)] if found.repeated else []
    )
    return pd.DataFrame(rows, columns=["end", "reason", "trials"])
