"""The charts of an audit: τ by budget, and the two orders; as a picture and on the page."""

from math import isnan
from typing import Any, NamedTuple

import plotly.graph_objects as go
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.stats import rankdata

from archlab.analysis.audit import Agreement, Audit
from archlab.evaluation.measures import QUALITIES
from archlab.report.axes import draw_frame, label_points, point_boxes
from archlab.report.picture import DPI
from archlab.report.style import FRONT, INK, LIMIT, MUTED, STUDIES, figure_layout

_SIZE_INCHES = (11.0, 4.8)
_BEFORE = "before training"
_TAU = "Kendall's τ · higher is better"
_SPREAD = 0.13  # of the distance of two numbers of steps, between what is known before training
_NAMES = 0.22  # of the height of the intervals, below them, for the names of what is known before training


class Place(NamedTuple):
    """An architecture's places in two orders; 1 is the best, ties share their mean."""

    trial: int
    reference: float
    cheap: float


class TauPoint(NamedTuple):
    """τ with its interval, known after so many optimiser steps."""

    steps: int
    tau: Agreement


class TauCurve(NamedTuple):
    """A metric's points by rising steps."""

    metric: str
    points: list[TauPoint]


class AuditInfo(NamedTuple):
    """Both charts as data.

    Attributes:
        cheap, reference: the scores that give the places: the recommended one, or the one that comes nearest.
        places: by trial.
        steps: what the points have; 0 is before training.
        before: what is known before training, a point each.
        series: what is known after some training.
        ceiling: τ of the reference score between seeds; NaN for one seed.
    """

    title: str
    cheap: str
    reference: str
    places: list[Place]
    baseline: int | None
    steps: list[int]
    before: list[TauCurve]
    series: list[TauCurve]
    bar: float
    ceiling: float


def audit_info(audit: Audit) -> AuditInfo:
    """What the charts show; of metrics that ``proxy.quality`` cannot name the table alone speaks."""
    cheap = (audit.recommended or audit.nearest or audit.predictors[0]).score
    trials, reference = audit.architectures["trial"], audit.reference
    shown = [each for each in audit.predictors if not each.score.steps or each.score.metric in QUALITIES]
    shown = [each for each in shown if not isnan(each.tau.value)]
    metrics = dict.fromkeys(each.score.metric for each in shown)
    series = [
        TauCurve(metric, [TauPoint(each.score.steps, each.tau) for each in shown if each.score.metric == metric])
        for metric in metrics
    ]
    return AuditInfo(
        title=audit.study,
        cheap=cheap.name,
        reference=reference.name,
        places=[Place(*row) for row in zip(trials, rankdata(reference.order), rankdata(cheap.order), strict=True)],
        baseline=audit.baseline,
        steps=sorted({each.score.steps for each in shown}),
        before=[each for each in series if not each.points[-1].steps],
        series=[each for each in series if each.points[-1].steps],
        bar=audit.bar,
        ceiling=audit.ceiling.value,
    )


def audit_figure(info: AuditInfo) -> Figure:
    """On the left τ by budget, with the band of the metric that the right has: the places in both orders."""
    figure = Figure(figsize=_SIZE_INCHES, dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    taus, places = figure.subplots(1, 2, width_ratios=[1.25, 1])
    draw_frame(taus, taus, f"{info.title}: τ with {info.reference}", "optimiser steps", _TAU)
    draw_frame(places, places, "The two orders", f"place by {info.reference}", f"place by {info.cheap}")
    _draw_taus(taus, info)
    _draw_places(figure, places, info)
    return figure


def _draw_taus(axes: Any, info: AuditInfo) -> None:
    for each, (color, mark, _) in _drawn(info):
        xs, taus = [info.steps.index(point.steps) for point in each.points], [point.tau for point in each.points]
        lows, highs = [tau.low for tau in taus], [tau.high for tau in taus]
        if info.cheap.startswith(f"{each.metric}@"):
            axes.fill_between(xs, lows, highs, color=color, alpha=0.13, linewidth=0)
        elif len(xs) == 1:
            axes.vlines(xs, lows, highs, color=color, linewidth=1.4)
        axes.plot(xs, [tau.value for tau in taus], color=color, marker=mark, markersize=5.5, label=each.metric)
    for each, x in _side_by_side(info):
        tau = each.points[0].tau
        axes.vlines(x, tau.low, tau.high, color=MUTED, linewidth=1.4)
        axes.plot(x, tau.value, color=MUTED, marker="o", markersize=5.5)
        axes.text(x, 0.02, each.metric, transform=axes.get_xaxis_transform(), rotation=90, ha="center", fontsize=8)
    axes.axhline(info.bar, color=LIMIT, linestyle=":", linewidth=1.4, label=f"bar {info.bar:g}")
    if not isnan(info.ceiling):
        axes.axhline(info.ceiling, color=INK, linestyle="--", linewidth=1, label=f"between seeds {info.ceiling:.2f}")
    axes.set_xticks(range(len(info.steps)), [_step(steps) for steps in info.steps])
    lowest = axes.get_ylim()[0]
    axes.set_ylim(lowest - _NAMES * (1 - lowest) if info.before else lowest, 1.03)
    axes.figure.legend(loc="outside lower center", ncols=9, frameon=False, fontsize=8.5)


def _draw_places(figure: Figure, axes: Any, info: AuditInfo) -> None:
    ends = (0.3, len(info.places) + 0.7)
    points = [(place.reference, place.cheap) for place in info.places]
    axes.plot(ends, ends, color=MUTED, linewidth=0.8, linestyle=":")
    axes.scatter(*zip(*points, strict=True), s=34, color=_place_colors(info), zorder=3)
    axes.set(xlim=ends, ylim=ends)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    names = [_place_name(place, info) for place in info.places]
    label_points(figure, axes, points, names, point_boxes(axes, points), bold=[False] * len(points))


def tau_chart(info: AuditInfo) -> Any:
    figure = go.Figure(layout=figure_layout())
    for each, x in _side_by_side(info):
        _add_series(figure, each, [x], MUTED, "circle", showlegend=False)
        figure.add_annotation(
            x=x, y=each.points[0].tau.low, text=each.metric, textangle=-90, yanchor="top", showarrow=False
        )
    for each, (color, _, symbol) in _drawn(info):
        _add_series(figure, each, [info.steps.index(point.steps) for point in each.points], color, symbol)
    figure.add_hline(y=info.bar, line={"color": LIMIT, "width": 1.5, "dash": "dot"}, annotation_text="bar")
    if not isnan(info.ceiling):
        line = {"color": INK, "width": 1, "dash": "dash"}
        figure.add_hline(y=info.ceiling, line=line, annotation_text="between seeds")
    ticks = {"tickvals": list(range(len(info.steps))), "ticktext": [_step(steps) for steps in info.steps]}
    figure.update_xaxes(title="optimiser steps", **ticks)
    figure.update_yaxes(title=f"{_TAU} · with {info.reference}")
    return figure


def _add_series(figure: Any, series: TauCurve, xs: list[float], color: str, symbol: str, **more: Any) -> None:
    taus = [point.tau for point in series.points]
    figure.add_scatter(
        name=series.metric,
        x=xs,
        y=[tau.value for tau in taus],
        mode="lines+markers",
        marker={"color": color, "symbol": symbol, "size": 9},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [tau.high - tau.value for tau in taus],
            "arrayminus": [tau.value - tau.low for tau in taus],
            "color": color,
            "thickness": 1.2,
            "width": 0,
        },
        text=[_step(point.steps) for point in series.points],
        hovertemplate=f"{series.metric}, %{{text}}: τ %{{y:.2f}}<extra></extra>",
        **more,
    )


def order_chart(info: AuditInfo) -> Any:
    figure = go.Figure(layout=figure_layout())
    ends = [1, len(info.places)]
    figure.add_scatter(x=ends, y=ends, mode="lines", line={"color": MUTED, "dash": "dot", "width": 1}, hoverinfo="skip")
    figure.add_scatter(
        x=[place.reference for place in info.places],
        y=[place.cheap for place in info.places],
        text=[_place_name(place, info) for place in info.places],
        mode="markers+text",
        textposition="top center",
        marker={"size": 10, "color": _place_colors(info)},
        hovertemplate="trial %{text}: %{y} by the cheap score, %{x} by the reference score<extra></extra>",
    )
    figure.update_layout(showlegend=False)
    figure.update_xaxes(title=f"place by {info.reference}")
    figure.update_yaxes(title=f"place by {info.cheap}")
    return figure


def _drawn(info: AuditInfo) -> list[tuple[TauCurve, tuple[str, str, str]]]:
    """TauCurve of what is known after some training, each with its looks."""
    return [(each, STUDIES[index % len(STUDIES)]) for index, each in enumerate(info.series)]


def _side_by_side(info: AuditInfo) -> list[tuple[TauCurve, float]]:
    """What is known before training, with its place on the axis of steps."""
    middle = (len(info.before) - 1) / 2
    return [(each, (index - middle) * _SPREAD) for index, each in enumerate(info.before)]


def _place_colors(info: AuditInfo) -> list[str]:
    return [LIMIT if place.trial == info.baseline else FRONT for place in info.places]


def _place_name(place: Place, info: AuditInfo) -> str:
    return f"{place.trial} (baseline)" if place.trial == info.baseline else str(place.trial)


def _step(steps: int) -> str:
    return f"{steps:,}" if steps else _BEFORE
