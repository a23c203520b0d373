"""What became of the trials, and how the front grew."""

from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go

from archlab.analysis.counts import Counts, count_trials
from archlab.analysis.hypervolume import covered_after_each
from archlab.analysis.table import StudyTable, minimised
from archlab.evaluation.measures import beyond
from archlab.report.cards import Card, NotYetError, Picks
from archlab.report.labels import heading
from archlab.report.style import FRONT, figure_layout
from archlab.report.table import feasible, scored


class HistoryInfo(NamedTuple):
    """How good the study was after each trial; rises with hypervolume, falls with ``best``."""

    kind: str  # "hypervolume" or "best"
    trials: list[int]
    values: list[float]


def history_card(study: StudyTable, picks: Picks) -> Card:
    """The growth of the front and the fate of every trial."""
    found = count_trials(study.trials)
    if not found.asked:
        raise NotYetError("No trial has finished yet.")
    info = history_info(study)
    if info is None:
        how = "The growth of the front is drawn once two trained trials differ in every objective."
    elif info.kind == "best":
        how = "The line is the best quality so far; lower is better."
    else:
        how = (
            "The line is the hypervolume that the trials so far cover: the share of the box between the best of every "
            "objective and the reference point, which lies a tenth of each range beyond the worst trained trial."
        )
    return Card(
        key="history",
        title="History",
        sentence=f"{summary(study)} {how}",
        data=_ends(found, study),
        figure=history_figure(info, study) if info else None,
    )


def summary(study: StudyTable) -> str:
    """``40 asked: 23 trained, 11 over a limit (latency_ms 7, params_m 4). The budget is 40 distinct architectures.``"""
    found = count_trials(study.trials)
    besides = " besides the baseline" if any(record.is_free for record in study.records) else ""
    budget = f" The budget is {study.trials_wanted} distinct architectures{besides}." if found.asked else ""
    return f"{str(found)[0].upper()}{str(found)[1:]}.{budget}"


def history_info(study: StudyTable) -> HistoryInfo | None:
    """Hypervolume of all objectives after each trained trial, see `archlab.analysis.hypervolume`; with one objective,
    the best so far.

    None where there is nothing to measure: no trained trial, or all equal in one of the objectives.
    """
    rows = scored(study).sort_values("trial")
    rows = rows[feasible(rows, study.limits)].dropna(subset=list(study.objectives))
    if rows.empty:
        return None
    trials = [int(number) for number in rows["trial"]]
    if len(study.objectives) == 1:
        best = pd.to_numeric(rows[study.objectives[0]]).cummin()
        return HistoryInfo("best", trials, [float(value) for value in best])
    points = minimised(rows, study.objectives)
    if (points.min() == points.max()).any():
        return None
    return HistoryInfo("hypervolume", trials, covered_after_each(points))


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
        f"best {heading('quality', study)} so far · lower is better" if best else "hypervolume (%) · higher is better"
    )
    figure.update_yaxes(title=title, rangemode="normal" if best else "tozero")
    return figure


def _ends(found: Counts, study: StudyTable) -> pd.DataFrame:
    limits = {gate: heading(gate, study) for gate in found.gated}
    rows: list[tuple[str, str, int]] = [("trained", "", found.trained)]
    rows += [("stopped", f"at {steps} steps", number) for steps, number in found.stopped.items()]
    rows += [
        ("gated", "excluded by require" if gate == "require" else f"{limits[gate]} {beyond([gate])} the limit", number)
        for gate, number in found.gated.items()
    ]
    rows += [("failed", reason, number) for reason, number in found.failed.items()]
    rows += [("repeat", "answered by an earlier trial of the same architecture", found.repeats)] * bool(found.repeats)
    return pd.DataFrame(rows, columns=["end", "reason", "trials"])
