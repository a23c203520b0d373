"""What pictures of a front have in common: frame, staircase, labels that cover nothing."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from matplotlib.figure import Figure

from archlab.evaluation.measures import Direction
from archlab.report.picture import DPI
from archlab.report.placement import Box, place_labels
from archlab.report.style import DOMINATED, GRID, INK, MUTED

Pairs = Sequence[tuple[float, float]]  # cost and quality of points


def draw_frame(axes: Any, bottom: Any, title: str, cost_title: str, quality_title: str) -> None:
    """Titles, grid and spines; ``bottom`` are the axes that bear the cost's title."""
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", color=INK)
    bottom.set_xlabel(cost_title, color=INK)
    axes.set_ylabel(quality_title, color=INK)
    axes.grid(color=GRID, linewidth=0.8)
    for part in {axes, bottom}:
        part.set_axisbelow(True)
        part.tick_params(colors=MUTED, length=3)
        for name, spine in part.spines.items():
            spine.set_visible(name in ("left", "bottom") and part is axes)
            spine.set_color(DOMINATED)
    if bottom is not axes:
        axes.tick_params(labelbottom=False)


def staircase(axes: Any, points: Pairs, better: Direction) -> tuple[list[float], list[float]]:
    """Corners of the staircase over points from the best cost on: from the chart's top to its right edge, to its left
    one where a higher cost is better."""
    xs, ys = [points[0][0]], [axes.get_ylim()[1]]
    for cost, quality in points:
        xs += [cost, cost]
        ys += [ys[-1], quality]
    return [*xs, axes.get_xlim()[1 if better == "minimize" else 0]], [*ys, points[-1][1]]


def label_points(
    figure: Figure,
    axes: Any,
    points: Pairs,
    labels: Sequence[str],
    obstacles: Sequence[Box],
    *,
    bold: Sequence[bool],
) -> None:
    """Write each label where it covers neither an obstacle nor another label; the first labels go first, one without
    room is left out."""
    anchors = [tuple(axes.transData.transform(point)) for point in points]
    weights = ["bold" if each else "normal" for each in bold]
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]  # the Agg canvas of every picture
    sizes = [_text_size(axes, label, weight, renderer) for label, weight in zip(labels, weights, strict=True)]
    placed = place_labels(anchors, sizes, obstacles, Box(*axes.bbox.extents), scale=DPI / 72)
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


def point_boxes(axes: Any, points: Pairs) -> list[Box]:
    """What marks cover, in pixels."""
    radius = 4.5 * DPI / 72
    pixels = axes.transData.transform(points) if len(points) else ()
    return [Box(x - radius, y - radius, x + radius, y + radius) for x, y in pixels]


def line_boxes(axes: Any, xs: Sequence[float], ys: Sequence[float]) -> list[Box]:
    """What a line of horizontal and vertical parts covers, in pixels."""
    corners = axes.transData.transform(list(zip(xs, ys, strict=True)))
    return [
        Box(min(x0, x1) - 2, min(y0, y1) - 2, max(x0, x1) + 2, max(y0, y1) + 2)
        for (x0, y0), (x1, y1) in pairwise(corners)
    ]


def _text_size(axes: Any, label: str, weight: str, renderer: Any) -> tuple[float, float]:
    probe = axes.text(0, 0, label, fontsize=8.5, fontweight=weight)
    extent = probe.get_window_extent(renderer)
    probe.remove()
    return extent.width * 1.06, extent.height * 1.1
