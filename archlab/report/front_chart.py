"""The front as an interactive chart."""

from collections.abc import Collection
from functools import partial
from typing import Any, Literal

import plotly.graph_objects as go

from archlab.analysis.table import StudyTable
from archlab.report.cards import Card, NotYetError, Picks, draw
from archlab.report.front import (
    FrontInfo,
    Point,
    baseline_label,
    endings,
    front_info,
    further_charts,
    view,
    with_unit,
)
from archlab.report.history import summary
from archlab.report.style import DOMINATED, FRONT, INK, LIMIT, MUTED, STOPPED, figure_layout
from archlab.report.table import text

Place = Literal["top", "bottom"]

_LABEL_WIDTH = 0.03  # of a label that is written upwards, as a share of the chart's


def further_fronts(study: StudyTable, picks: Picks) -> list[Card]:
    """The front against each objective that `front_card` does not show and that has a chart of its own."""
    cards = []
    for column, (name, title) in further_charts(study).items():
        key = f"front_{name}"
        cards.append(draw(partial(front_card, cost=column, key=key, title=title), key, title, study, picks))
    return cards


def front_card(
    study: StudyTable, picks: Picks, *, cost: str | None = None, key: str = "front", title: str = "The front"
) -> Card:
    """Quality against a cost, the first among the objectives by default; every point with its trial's number.

    Raises:
        NotYetError: no trial has both numbers.
    """
    info = front_info(study, picks, cost)
    if not info.front + info.dominated + info.infeasible:
        raise NotYetError(f"No trial has been trained to the end yet. {summary(study)}")
    return Card(key=key, title=title, sentence=sentence(info), figure=front_figure(info))


def sentence(info: FrontInfo) -> str:
    """What there is to see, and what is not shown."""
    parts = [_finding(info)]
    if info.objectives > 2:
        parts.append(f"The front is over {info.objectives} objectives, so some of its points may look beaten here.")
    parts += _against_the_baseline(info)
    if info.equals:
        pairs = "; ".join(f"{one} and {other}" for one, other in info.equals)
        parts.append(f"Within the noise of measuring these trials of the front cost the same: {pairs}.")
    if info.estimated:
        parts.append(f"{_latencies(info.estimated)} estimated, not measured: hollow.")
    if info.noisy:
        parts.append(f"{_latencies(info.noisy)} noisy and may be far off: hollow with a dot.")
    if any(point.trial in info.margins for point in info.front):
        parts.append("Upright bars are 95 % intervals of quality.")
    if info.unscored:
        parts.append(f"{len(info.unscored)} ended after their cost was known, without a score: ticks below the chart.")
    if info.unmeasured:
        parts.append(f"{info.unmeasured} ended before it was known (not drawn).")
    if info.incomparable:
        parts.append(f"{info.incomparable} are left out: their quality was not scored in the same way.")
    return " ".join(parts)


def _latencies(trials: Collection[int]) -> str:
    return "1 latency is" if len(trials) == 1 else f"{len(trials)} latencies are"


def _against_the_baseline(info: FrontInfo) -> list[str]:
    quiet = [point for point in info.staircase if point.trial not in info.noisy]
    if not quiet or not info.baseline_cost or info.baseline_noisy:
        return []
    best, baseline = quiet[0].cost, info.baseline_cost
    share = 100 * (best / baseline - 1)
    extreme = "cheapest needs" if info.measure.is_cost else f"best {info.cost} is"
    than = f"{abs(share):.0f} % {'less' if share < 0 else 'more'} than the baseline's {text(baseline)}"
    return [f"The {extreme} {with_unit(best, info)}, {than}{' (estimated)' * info.baseline_estimated}."]


def _finding(info: FrontInfo) -> str:
    total = len(info.front) + len(info.dominated)
    trained = f"{total} trained architecture{'s' * (total != 1)}{' within the limits' * bool(info.infeasible)}"
    if not info.front:
        return f"None of {trained} is on the front."
    if info.objectives == 1 and len(info.front) == 1:
        return f"Trial {info.front[0].trial} is the best of {trained}."
    numbers = "both numbers" if info.objectives == 2 else "every objective"
    verb, them = ("is", "it") if len(info.front) == 1 else ("are", "them")
    return f"{len(info.front)} of {trained} {verb} on the front: nothing tried beats {them} in {numbers}."


def front_figure(info: FrontInfo) -> Any:
    """Points carry their trial's number as ``customdata`` and are hollow where their cost is estimated; unscored trials
    are ticks in a strip below."""
    figure = go.Figure(layout=figure_layout())
    figure.add_trace(_points("dominated", info.dominated, info, color=DOMINATED, size=9))
    figure.add_trace(_points(info.beyond, info.infeasible, info, color=LIMIT, size=9, symbol="x"))
    if len(info.staircase) > 1:
        figure.add_scatter(
            x=[point.cost for point in info.staircase],
            y=[point.quality for point in info.staircase],
            mode="lines",
            line={"color": FRONT, "width": 2, "shape": "hv"},
            hoverinfo="skip",
            showlegend=False,
            legendgroup="front",
        )
    figure.add_trace(_points("on the front", info.front, info, color=FRONT, size=12, picks=info.picks))
    if info.estimated:
        hollow = {"symbol": "circle-open", "size": 9, "color": MUTED, "line": {"width": 2}}
        figure.add_scatter(name="estimated (hollow)", x=[None], y=[None], mode="markers", marker=hollow)
    if info.noisy:
        dotted = {"symbol": "circle-open-dot", "size": 9, "color": MUTED, "line": {"width": 2}}
        figure.add_scatter(name="noisy (hollow, a dot)", x=[None], y=[None], mode="markers", marker=dotted)
    for height, (status, words) in enumerate(endings(info).items()):
        _add_ticks(figure, info, status, words, height)
    _add_baseline(figure, info)
    if info.limit is not None:
        place: Place = "bottom" if _meets_the_baseline(info, info.limit) else "top"
        _add_line(figure, info.limit, LIMIT, f"limit {with_unit(info.limit, info)}", place)
    ranges = view(info)
    figure.update_xaxes(title=info.cost_title, range=ranges and ranges[0])
    figure.update_yaxes(title=info.quality_title, range=ranges and ranges[1], domain=[0.12 if info.unscored else 0, 1])
    if info.unscored:
        figure.update_layout(yaxis2=_strip(list(endings(info).values())), xaxis={"anchor": "free", "position": 0})
    return figure


def _strip(words: list[str]) -> dict[str, Any]:
    return {
        "domain": [0, 0.09],
        "range": [-0.6, len(words) - 0.4],
        "tickvals": list(range(len(words))),
        "ticktext": words,
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
        "tickfont": {"size": 11, "color": MUTED},
    }


def _points(
    name: str,
    points: list[Point],
    info: FrontInfo,
    *,
    color: str,
    size: int,
    symbol: str = "circle",
    picks: dict[int, str] | None = None,
) -> Any:
    doubtful = info.estimated | info.noisy
    points = sorted(points, key=lambda point: point.trial in doubtful)  # the first is the legend's mark
    names = [(picks or {}).get(point.trial, "") for point in points]
    hollow = [point.trial in doubtful for point in points]
    return go.Scatter(
        name=f"{name} ({len(points)})",
        x=[point.cost for point in points],
        y=[point.quality for point in points],
        customdata=[point.trial for point in points],
        text=[f"{point.trial} {name}".strip() for point, name in zip(points, names, strict=True)],
        mode="markers+text" if picks is not None else "markers",
        textposition="top right",
        textfont={"color": FRONT, "size": 12},
        cliponaxis=False,
        marker={
            "opacity": 1,
            "color": color,
            "symbol": [f"{symbol}{_hollow(point, info)}" for point in points],
            "size": [size + 4 if name else size for name in names],
            "line": {
                "color": [INK if name else "white" for name in names],
                "width": [2.0 if each else 1.5 if picks is not None else 0.0 for each in hollow],
            },
        },
        error_x=_cost_bars(points, info, color),
        error_y=_quality_bars(points, info, color) if picks is not None else None,
        hovertext=[_doubt(point, info) for point in points],
        hovertemplate="trial %{customdata}<br>%{x:.4g}%{hovertext} · %{y:.4g}<extra></extra>",
        legendgroup="front" if picks is not None else name,
        meta="front" if picks is not None else "points",
    )


def _hollow(point: Point, info: FrontInfo) -> str:
    """What plotly adds to the mark's name."""
    return "-open-dot" if point.trial in info.noisy else "-open" if point.trial in info.estimated else ""


def _doubt(point: Point, info: FrontInfo) -> str:
    """`` (6.9 to 7.3, noisy)`` behind the cost."""
    ends = info.intervals.get(point.trial)
    words = [f"{ends[0]:.4g} to {ends[1]:.4g}"] if ends else []
    words += ["estimated"] * (point.trial in info.estimated) + ["noisy"] * (point.trial in info.noisy)
    return f" ({', '.join(words)})" if words else ""


def _quality_bars(points: list[Point], info: FrontInfo, color: str) -> dict[str, Any] | None:
    """95 % intervals of the quality; None where none is known."""
    margins = [info.margins.get(point.trial, 0.0) for point in points]
    return {"type": "data", "array": margins, "color": color, "thickness": 1, "width": 0} if any(margins) else None


def _cost_bars(points: list[Point], info: FrontInfo, color: str) -> dict[str, Any] | None:
    """Intervals of the cost; None where none is known."""
    known = [info.intervals.get(point.trial, (point.cost, point.cost)) for point in points]
    if all(low == high for low, high in known):
        return None
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - point.cost for point, (_, high) in zip(points, known, strict=True)],
        "arrayminus": [point.cost - low for point, (low, _) in zip(points, known, strict=True)],
        "color": color,
        "thickness": 1.5,
        "width": 4,
    }


def _add_ticks(figure: Any, info: FrontInfo, status: str, words: str, height: int) -> None:
    trials = [trial for trial in info.unscored if trial.status == status]
    figure.add_scatter(
        name=f"{words}: cost only ({len(trials)})",
        x=[trial.cost for trial in trials],
        y=[height] * len(trials),
        yaxis="y2",
        customdata=[trial.trial for trial in trials],
        mode="markers",
        marker={
            "symbol": ["circle-open" if trial.trial in info.estimated else "line-ns" for trial in trials],
            "size": [6 if trial.trial in info.estimated else 9 for trial in trials],
            "color": STOPPED,
            "line": {"width": 1.5, "color": STOPPED},
        },
        hovertemplate="trial %{customdata}<br>%{x:.4g}<extra></extra>",
    )


def _add_baseline(figure: Any, info: FrontInfo) -> None:
    if info.baseline_cost is None:
        return
    if info.baseline_quality is None:
        _add_line(figure, info.baseline_cost, INK, baseline_label(info))
        return
    figure.add_scatter(
        name="baseline",
        x=[info.baseline_cost],
        y=[info.baseline_quality],
        mode="markers",
        marker={"symbol": "diamond-open", "size": 15, "color": INK, "line": {"width": 2}},
        hovertemplate="baseline<br>%{x:.4g} · %{y:.4g}<extra></extra>",
    )


def _meets_the_baseline(info: FrontInfo, cost: float) -> bool:
    """Whether a label there would be on the baseline's."""
    ranges = view(info)
    if info.baseline_cost is None or info.baseline_quality is not None or ranges is None:
        return False
    low, high = ranges[0]
    return abs(cost - info.baseline_cost) < _LABEL_WIDTH * (high - low)


def _add_line(figure: Any, cost: float, color: str, label: str, place: Place = "top") -> None:
    figure.add_vline(x=cost, line={"color": color, "width": 1.5, "dash": "dash"}, layer="below")
    figure.add_annotation(
        x=cost, y=int(place == "top"), yref="y domain", text=label, textangle=-90, showarrow=False,
        xanchor="right", yanchor=place, font={"color": color, "size": 11},
    )  # fmt: skip
