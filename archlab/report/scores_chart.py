"""FID of models against the time of an image: a line per model through its numbers of steps."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from archlab.evaluation.model_scores import ModelScores
from archlab.report.axes import draw_frame, label_points, point_boxes
from archlab.report.picture import DPI
from archlab.report.placement import Box
from archlab.report.style import DOTTED, STUDIES

_TITLE = "Quality against the time of an image"
_SIZE_INCHES = (8.4, 5.4)
_BOXES, _REACH = 40, 4.0  # boxes along a line, and their half side in pixels
_LOG_FROM = 10.0  # the largest FID by the least from which its axis is logarithmic, too


class ScoredPoint(NamedTuple):
    """A model with so many steps; ``cost``: ms of an image, or its passes."""

    steps: int
    cost: float
    fid: float
    error: float
    noisy: bool


class ScoredModel(NamedTuple):
    """A model's points by rising cost."""

    model: str
    points: list[ScoredPoint]


class ScoresInfo(NamedTuple):
    """The chart as data."""

    cost_title: str
    fid_title: str
    models: list[ScoredModel]


def scores_info(rows: Sequence[ModelScores], device: str = "") -> ScoresInfo | None:
    """What the chart shows; None where there is no FID.

    Args:
        device: whose latency it is; empty: images cost their passes.

    Raises:
        ValueError: the rows have FIDs with different labels, which are never on one chart.
    """
    labels = {row.scores["fid"].label for row in rows if "fid" in row.scores}
    if not labels:
        return None
    if len(labels) > 1:
        raise ValueError(f"FIDs with different labels on one chart: {', '.join(sorted(labels))}")
    models: dict[str, list[ScoredPoint]] = {row.model: [] for row in rows}
    for row in rows:
        if "fid" in row.scores and (not device or device in row.latency):
            models[row.model].append(_point(row, device))
    where = f"Time of the UNet for an image in ms ({device}): passes × latency" if device else "Passes of the UNet"
    return ScoresInfo(
        cost_title=f"{where} · lower is better",
        fid_title=f"{labels.pop()} ± standard error · lower is better",
        models=[ScoredModel(name, sorted(points, key=lambda each: each.cost)) for name, points in models.items()],
    )


def scores_figure(info: ScoresInfo) -> Figure:
    """A colour for each model, its steps at every point; dotted hollow marks are noisy."""
    figure = Figure(figsize=_SIZE_INCHES, dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    draw_frame(axes, axes, _TITLE, info.cost_title, info.fid_title)
    _set_scales(axes, info)
    for index, each in enumerate(info.models):
        _draw_model(axes, each, *STUDIES[index % len(STUDIES)][:2])
    _leave_room(axes, info)
    columns = min(4, len(info.models))
    figure.legend(loc="outside upper right", ncols=columns, frameon=False, handletextpad=0.4)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    axes.set_xlim(axes.get_xlim())
    axes.set_ylim(axes.get_ylim())
    points = [point for each in info.models for point in each.points]
    places = [(point.cost, point.fid) for point in points]
    names = [f"{point.steps} step{'s' if point.steps > 1 else ''}{', noisy' * point.noisy}" for point in points]
    obstacles = [*point_boxes(axes, places), *(box for each in info.models for box in _covered(axes, each.points))]
    label_points(figure, axes, places, names, obstacles, bold=[False] * len(names))
    return figure


def _leave_room(axes: Any, info: ScoresInfo) -> None:
    """For labels; a single time is in the middle of an axis from half of it to its double."""
    axes.margins(0.12, 0.12)
    costs = {point.cost for each in info.models for point in each.points}
    if len(costs) == 1:
        cost = costs.pop()
        axes.set_xlim(cost / 2, cost * 2)


def _draw_model(axes: Any, each: ScoredModel, color: str, mark: str) -> None:
    costs, fids = [point.cost for point in each.points], [point.fid for point in each.points]
    below, above = [point.fid - _low(point) for point in each.points], [point.error for point in each.points]
    axes.errorbar(costs, fids, yerr=[below, above], color=color, linewidth=1.6, elinewidth=1.2, capsize=3, zorder=3)
    for point in each.points:
        axes.scatter(
            point.cost, point.fid, s=44, marker=mark, facecolors="white" if point.noisy else color, edgecolors=color,
            linestyles=DOTTED if point.noisy else "-", zorder=4,
        )  # fmt: skip
    axes.plot([], [], color=color, marker=mark, markersize=6, linewidth=1.6, label=each.model)


def _covered(axes: Any, points: Sequence[ScoredPoint]) -> list[Box]:
    """What a model's line and error bars cover, in pixels, as small boxes along them."""
    ends = [(point.cost, point.fid) for point in points]
    bars = [((point.cost, point.fid + point.error), (point.cost, _low(point))) for point in points]
    boxes = []
    for segment in (*pairwise(ends), *bars):
        (x0, y0), (x1, y1) = axes.transData.transform(segment)
        for share in (step / _BOXES for step in range(_BOXES + 1)):
            x, y = x0 + share * (x1 - x0), y0 + share * (y1 - y0)
            boxes.append(Box(x - _REACH, y - _REACH, x + _REACH, y + _REACH))
    return boxes


def _low(point: ScoredPoint) -> float:
    """Lower end of its error bar, over 0 for a logarithmic axis."""
    return max(point.fid - point.error, 0.01 * point.fid)


def _set_scales(axes: Any, info: ScoresInfo) -> None:
    """Time is logarithmic; FID where it spans more than a factor of ten."""
    fids = [point.fid for each in info.models for point in each.points]
    axes.set_xscale("log")
    scales = [axes.xaxis]
    if min(fids) > 0 and max(fids) / min(fids) >= _LOG_FROM:
        axes.set_yscale("log")
        scales.append(axes.yaxis)
    for axis in scales:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(NullLocator())


def _point(row: ModelScores, device: str) -> ScoredPoint:
    fid = row.scores["fid"]
    cost = row.image_ms[device] if device else float(row.passes)
    return ScoredPoint(row.steps, cost, fid.value, fid.error, bool(device) and row.latency[device].noisy)
