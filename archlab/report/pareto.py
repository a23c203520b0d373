"""The front as a picture for papers and slides."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from archlab.report.axes import draw_frame, label_points, line_boxes, point_boxes, staircase
from archlab.report.front import FrontInfo, Point, baseline_label, endings, view, with_unit
from archlab.report.picture import DPI, Picture, write_picture
from archlab.report.placement import Box
from archlab.report.style import DOMINATED, DOTTED, FRONT, INK, LIMIT, MUTED, STOPPED

_SIZE_INCHES = (8.4, 5.4)


def write_pareto(info: FrontInfo, folder: Path, name: str = "pareto") -> None:
    """Write ``<name>.png`` and ``<name>.svg``, each whole or not at all; equal studies give equal files."""
    write_picture(lambda: pareto_figure(info), folder / name)


def pareto_figure(info: FrontInfo) -> Picture:
    """Trials as points, hollow where their cost is estimated or noisy, the front as a staircase with intervals; below
    them ticks for trials with a cost and no quality."""
    figure = Picture(figsize=_SIZE_INCHES, dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    if info.unscored:
        axes, strip = figure.subplots(2, 1, sharex=True, height_ratios=[12, 1], gridspec_kw={"hspace": 0.02})
        _draw_strip(strip, info)
        bottom = strip
    else:
        axes = bottom = figure.subplots()
    ranges = view(info)
    if ranges:
        axes.set_xlim(*ranges[0])
        axes.set_ylim(*ranges[1])
    draw_frame(axes, bottom, info.study, info.cost_title, info.quality_title)
    _draw_marks(axes, info)
    _draw_points(axes, info)
    if not info.front + info.dominated + info.infeasible:
        axes.text(
            0.5,
            0.5,
            "no trial has been trained to the end yet",
            transform=axes.transAxes,
            ha="center",
            color=MUTED,
        )
        axes.set_yticks([])
    else:
        figure.legend(
            *axes.get_legend_handles_labels(),
            loc="outside upper right",
            ncols=3 if info.estimated or info.noisy else 5,
            frameon=False,
            handletextpad=0.3,
        )
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    _label_front(figure, axes, info)
    return figure


def _draw_points(axes: Any, info: FrontInfo) -> None:
    _scatter(axes, info.dominated, info, "dominated", color=DOMINATED, s=26, zorder=2)
    _scatter(axes, info.infeasible, info, info.beyond, color=LIMIT, s=34, marker="X", zorder=2)
    if len(info.staircase) > 1:
        axes.plot(
            *staircase(axes, _pairs(info.staircase), info.measure.direction),
            color=FRONT,
            linewidth=1.6,
            alpha=0.75,
            zorder=3,
        )
    _scatter(axes, info.front, info, "on the front", color=FRONT, s=44, zorder=5)
    sure = [point for point in info.front if point.trial in info.margins]
    for point in sure:
        margin = info.margins[point.trial]
        axes.vlines(point.cost, point.quality - margin, point.quality + margin, colors=FRONT, linewidth=0.9, zorder=4)
    picked = [point for point in info.front if point.trial in info.picks]
    if picked:
        axes.scatter(*_xy(picked), s=130, facecolors="none", edgecolors=INK, linewidths=1.1, zorder=4)
    if info.estimated:
        axes.scatter([], [], s=36, facecolors="white", edgecolors=MUTED, linewidths=1.4, label="estimated (hollow)")
    if info.noisy:
        axes.scatter(
            [],
            [],
            s=36,
            facecolors="white",
            edgecolors=MUTED,
            linewidths=1.4,
            linestyles=DOTTED,
            label="noisy (dotted)",
        )


def _scatter(axes: Any, points: Sequence[Point], info: FrontInfo, label: str, *, color: str, **how: Any) -> None:
    """Full marks, hollow ones where the cost is estimated, dotted ones where it is noisy; with intervals."""
    dotted = [point for point in points if point.trial in info.noisy]
    hollow = [point for point in points if point.trial in info.estimated - info.noisy]
    full = [point for point in points if point.trial not in info.estimated | info.noisy]
    if points:
        axes.scatter(*_xy(full), color=color, edgecolors="white", linewidths=0.9, label=label, **how)
    if hollow:
        axes.scatter(*_xy(hollow), facecolors="white", edgecolors=color, linewidths=1.4, **how)
    if dotted:
        axes.scatter(*_xy(dotted), facecolors="white", edgecolors=color, linewidths=1.4, linestyles=DOTTED, **how)
    known = [(point.quality, *info.intervals[point.trial]) for point in points if point.trial in info.intervals]
    if known:
        qualities, lows, highs = zip(*known, strict=True)
        axes.hlines(qualities, lows, highs, colors=color, linewidth=1.2, zorder=how["zorder"] - 0.5)


def _draw_marks(axes: Any, info: FrontInfo) -> None:
    if info.limit is not None:
        axes.axvline(
            info.limit, color=LIMIT, linewidth=1.2, linestyle=(0, (5, 3)), zorder=1,
            label=f"limit {with_unit(info.limit, info)}",
        )  # fmt: skip
    if info.baseline_cost is None:
        return
    label = baseline_label(info)
    if info.baseline_quality is None:
        axes.axvline(info.baseline_cost, color=INK, linewidth=1.2, linestyle=(0, (1, 2)), zorder=1, label=label)
    else:
        axes.scatter(
            [info.baseline_cost], [info.baseline_quality], s=95, marker="D", facecolors="none",
            edgecolors=INK, linewidths=1.4, zorder=6, label=label,
        )  # fmt: skip


def _draw_strip(strip: Any, info: FrontInfo) -> None:
    """A row of ticks for each way to end. Costs beyond the chart are counted at its right edge."""
    ends = endings(info)
    for height, status in enumerate(ends):
        for is_estimated, mark, size in ((False, "|", 6), (True, "o", 3.5)):
            costs = [
                trial.cost
                for trial in info.unscored
                if trial.status == status and (trial.trial in info.estimated) == is_estimated
            ]
            strip.plot(
                costs, [height] * len(costs), mark, color=STOPPED, markersize=size, markeredgewidth=1.2,
                markerfacecolor="none",
            )  # fmt: skip
    ranges = view(info)
    beyond = sum(trial.cost > ranges[0][1] for trial in info.unscored) if ranges else 0
    if beyond:
        strip.annotate(
            f"{beyond} more beyond →", (1, 0.5), xycoords="axes fraction", ha="right", va="center",
            fontsize=8, color=STOPPED, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip
    strip.set_ylim(-0.6, len(ends) - 0.4)
    strip.set_yticks(range(len(ends)), ends.values(), fontsize=7.5)


def _label_front(figure: Figure, axes: Any, info: FrontInfo) -> None:
    points = sorted(info.front, key=lambda point: point.trial not in info.picks)
    label_points(
        figure,
        axes,
        _pairs(points),
        [f"{point.trial} {info.picks.get(point.trial, '')}".strip() for point in points],
        _obstacles(axes, info),
        bold=[point.trial in info.picks for point in points],
    )


def _obstacles(axes: Any, info: FrontInfo) -> list[Box]:
    """Points, the staircase and the lines across the chart, in pixels."""
    shown = _pairs(info.front + info.dominated + info.infeasible)
    if info.baseline_cost is not None and info.baseline_quality is not None:
        shown.append((info.baseline_cost, info.baseline_quality))
    boxes = point_boxes(axes, shown)
    if len(info.staircase) > 1:
        boxes += line_boxes(axes, *staircase(axes, _pairs(info.staircase), info.measure.direction))
    lines = [info.limit, info.baseline_cost if info.baseline_quality is None else None]
    low, high = axes.bbox.y0, axes.bbox.y1
    for cost in lines:
        if cost is not None:
            x = axes.transData.transform((cost, 0))[0]
            boxes.append(Box(x - 3, low, x + 3, high))
    return boxes


def _pairs(points: Sequence[Point]) -> list[tuple[float, float]]:
    return [(point.cost, point.quality) for point in points]


def _xy(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    return [point.cost for point in points], [point.quality for point in points]
