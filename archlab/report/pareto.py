"""The front as a picture for papers and slides."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from archlab.report.front import FrontInfo, Point, baseline_label, view
from archlab.report.picture import DPI, write_picture
from archlab.report.placement import Box, place_labels
from archlab.report.style import DOMINATED, FRONT, GRID, INK, LIMIT, MUTED, STOPPED
from archlab.report.table import text

_SIZE_INCHES = (8.4, 5.4)


def write_pareto(info: FrontInfo, folder: Path, name: str = "pareto") -> None:
    """Write ``<name>.png`` and ``<name>.svg``, each whole or not at all; equal studies give equal files."""
    write_picture(lambda: pareto_figure(info), folder / name)


def pareto_figure(info: FrontInfo) -> Figure:
    """Trials as points, hollow where their cost is estimated, the front as a staircase; below them ticks for trials
    with a cost and no quality."""
    figure = Figure(figsize=_SIZE_INCHES, dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    if info.unscored:
        axes, strip = figure.subplots(2, 1, sharex=True, height_ratios=[14, 1], gridspec_kw={"hspace": 0.02})
        _draw_strip(strip, info)
        bottom = strip
    else:
        axes = bottom = figure.subplots()
    ranges = view(info)
    if ranges:
        axes.set_xlim(*ranges[0])
        axes.set_ylim(*ranges[1])
    _draw_frame(axes, bottom, info)
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
            ncols=3 if info.estimated else 5,
            frameon=False,
            handletextpad=0.3,
        )
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    _label_front(figure, axes, info)
    return figure


def _draw_frame(axes: Any, bottom: Any, info: FrontInfo) -> None:
    axes.set_title(info.study, loc="left", fontsize=12, fontweight="bold", color=INK)
    bottom.set_xlabel(info.cost_title, color=INK)
    axes.set_ylabel(info.quality_title, color=INK)
    axes.grid(color=GRID, linewidth=0.8)
    for part in {axes, bottom}:
        part.set_axisbelow(True)
        part.tick_params(colors=MUTED, length=3)
        for name, spine in part.spines.items():
            spine.set_visible(name in ("left", "bottom") and part is axes)
            spine.set_color(DOMINATED)
    if bottom is not axes:
        axes.tick_params(labelbottom=False)


def _draw_points(axes: Any, info: FrontInfo) -> None:
    _scatter(axes, info.dominated, info, "dominated", color=DOMINATED, s=26, zorder=2)
    _scatter(axes, info.infeasible, info, "over a limit or stopped", color=LIMIT, s=34, marker="X", zorder=2)
    if len(info.staircase) > 1:
        axes.plot(*_staircase(axes, info.staircase), color=FRONT, linewidth=1.6, alpha=0.75, zorder=3)
    _scatter(axes, info.front, info, "on the front", color=FRONT, s=44, zorder=5)
    picked = [point for point in info.front if point.trial in info.picks]
    if picked:
        axes.scatter(*_xy(picked), s=130, facecolors="none", edgecolors=INK, linewidths=1.1, zorder=4)
    if info.estimated:
        axes.scatter([], [], s=36, facecolors="white", edgecolors=MUTED, linewidths=1.4, label="estimated (hollow)")


def _scatter(axes: Any, points: Sequence[Point], info: FrontInfo, label: str, *, color: str, **how: Any) -> None:
    """Full marks, and hollow ones where the cost is estimated."""
    full = [point for point in points if point.trial not in info.estimated]
    hollow = [point for point in points if point.trial in info.estimated]
    if points:
        axes.scatter(*_xy(full), color=color, edgecolors="white", linewidths=0.9, label=label, **how)
    if hollow:
        axes.scatter(*_xy(hollow), facecolors="white", edgecolors=color, linewidths=1.4, **how)


def _draw_marks(axes: Any, info: FrontInfo) -> None:
    if info.limit is not None:
        axes.axvline(
            info.limit, color=LIMIT, linewidth=1.2, linestyle=(0, (5, 3)), zorder=1,
            label=f"limit {text(info.limit)} {info.cost_unit}",
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
    """Two rows of ticks. Costs beyond the chart are counted at its right edge."""
    for trial in info.unscored:
        height = 1 if trial.status == "gated" else 0
        mark, size = ("o", 3.5) if trial.trial in info.estimated else ("|", 6)
        strip.plot(
            [trial.cost], [height], mark, color=STOPPED, markersize=size, markeredgewidth=1.2, markerfacecolor="none"
        )
    ranges = view(info)
    beyond = sum(trial.cost > ranges[0][1] for trial in info.unscored) if ranges else 0
    if beyond:
        strip.annotate(
            f"{beyond} more beyond →", (1, 0.5), xycoords="axes fraction", ha="right", va="center",
            fontsize=8, color=STOPPED, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip
    strip.set_ylim(-0.6, 1.6)
    strip.set_yticks([0, 1], ["failed", "stopped"], fontsize=8)


def _label_front(figure: Figure, axes: Any, info: FrontInfo) -> None:
    points = sorted(info.front, key=lambda point: point.trial not in info.picks)
    labels = [f"{point.trial} {info.picks.get(point.trial, '')}".strip() for point in points]
    weights = ["bold" if point.trial in info.picks else "normal" for point in points]
    anchors = [tuple(axes.transData.transform((point.cost, point.quality))) for point in points]
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]  # the Agg canvas set above
    sizes = [_text_size(axes, label, weight, renderer) for label, weight in zip(labels, weights, strict=True)]
    placed = place_labels(anchors, sizes, _obstacles(axes, info), Box(*axes.bbox.extents), scale=DPI / 72)
    inverse = axes.transData.inverted()
    leader = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.6, "shrinkB": 3}
    for label, weight, anchor, place in zip(labels, weights, anchors, placed, strict=True):
        if place is None:
            continue
        box = place.box
        near = (min(max(anchor[0], box.left), box.right), min(max(anchor[1], box.bottom), box.top))
        if place.leader:
            axes.annotate("", xy=inverse.transform(anchor), xytext=inverse.transform(near), arrowprops=leader)
        x, y = inverse.transform(((box.left + box.right) / 2, (box.bottom + box.top) / 2))
        axes.text(x, y, label, ha="center", va="center", color=INK, fontsize=8.5, fontweight=weight, zorder=7)


def _text_size(axes: Any, label: str, weight: str, renderer: Any) -> tuple[float, float]:
    probe = axes.text(0, 0, label, fontsize=8.5, fontweight=weight)
    extent = probe.get_window_extent(renderer)
    probe.remove()
    return extent.width * 1.06, extent.height * 1.1


def _obstacles(axes: Any, info: FrontInfo) -> list[Box]:
    """Points as squares and the staircase as thin boxes, in pixels."""
    radius = 4.5 * DPI / 72
    baseline = (
        [(info.baseline_cost, info.baseline_quality)]
        if info.baseline_cost is not None and info.baseline_quality is not None
        else []
    )
    shown = [(point.cost, point.quality) for point in info.front + info.dominated + info.infeasible]
    pixels = [axes.transData.transform(place) for place in shown + baseline]
    boxes = [Box(x - radius, y - radius, x + radius, y + radius) for x, y in pixels]
    if len(info.staircase) > 1:
        corners = axes.transData.transform(list(zip(*_staircase(axes, info.staircase), strict=True)))
        boxes += [
            Box(min(x0, x1) - 2, min(y0, y1) - 2, max(x0, x1) + 2, max(y0, y1) + 2)
            for (x0, y0), (x1, y1) in pairwise(corners)
        ]
    lines = [info.limit, info.baseline_cost if info.baseline_quality is None else None]
    low, high = axes.bbox.y0, axes.bbox.y1
    for cost in lines:
        if cost is not None:
            x = axes.transData.transform((cost, 0))[0]
            boxes.append(Box(x - 3, low, x + 3, high))
    return boxes


def _staircase(axes: Any, points: Sequence[Point]) -> tuple[list[float], list[float]]:
    """Corners of the staircase, from the chart's top over the points to its right edge."""
    xs, ys = [points[0].cost], [axes.get_ylim()[1]]
    for point in points:
        xs += [point.cost, point.cost]
        ys += [ys[-1], point.quality]
    return [*xs, axes.get_xlim()[1]], [*ys, points[-1].quality]


def _xy(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    return [point.cost for point in points], [point.quality for point in points]
