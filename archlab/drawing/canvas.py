"""What a drawing is painted on, and the one that is a matplotlib figure. Units are pixels, counted from the upper left
corner."""

from typing import Any, Protocol

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from archlab.drawing.geometry import Point
from archlab.drawing.style import INK, Look

_POINTS = 0.72  # of 1/72 inch in a pixel at 100 dpi
_WIDE_LETTER = 0.58  # average width of DejaVu Sans ÷ its size


class Canvas(Protocol):
    """Boxes, lines and texts; what has a higher order covers what has a lower one."""

    def box(
        self,
        left: float,
        top: float,
        width: float,
        height: float,
        look: Look,
        *,
        radius: float = 5,
        edge: float = 1.2,
        order: float = 2,
    ) -> None:
        """A rounded box; ``edge`` is the width of its border."""

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: float = 11,
        color: str = INK,
        align: str = "left",
        fontweight: str = "normal",
    ) -> None:
        """Text at the height of ``y``."""

    def line(self, points: list[Point], color: str, *, width: float = 1.2, line: Any = "-", order: float = 1) -> None:
        """A line through points."""

    def arrow(self, points: list[Point], color: str, *, width: float = 1.2, line: Any = "-", order: float = 1) -> None:
        """A line that ends in an arrowhead."""

    def dot(self, point: Point, color: str) -> None:
        """A small disc."""


class FigureCanvas:
    """A `Canvas` on one figure."""

    def __init__(self, figure: Figure, width: float, height: float) -> None:
        self.axes: Any = figure.add_axes((0, 0, 1, 1))
        self.axes.set_xlim(0, width)
        self.axes.set_ylim(height, 0)
        self.axes.axis("off")

    def box(
        self,
        left: float,
        top: float,
        width: float,
        height: float,
        look: Look,
        *,
        radius: float = 5,
        edge: float = 1.2,
        order: float = 2,
    ) -> None:
        """A rounded box; ``edge`` is the width of its border."""
        for hatched in [False, True] if look.hatch else [False]:
            self.axes.add_patch(
                FancyBboxPatch(
                    (left, top), width, height,
                    boxstyle=f"round,pad=0,rounding_size={radius}",
                    facecolor="none" if hatched else look.face,
                    edgecolor=look.hatch if hatched else look.edge,
                    linestyle="-" if hatched else look.line,
                    linewidth=0 if hatched else edge * _POINTS,
                    hatch="////" if hatched else None,
                    zorder=order,
                )
            )  # fmt: skip

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: float = 11,
        color: str = INK,
        align: str = "left",
        fontweight: str = "normal",
    ) -> None:
        """Text at the height of ``y``; never read as a formula."""
        self.axes.text(
            x,
            y,
            words,
            fontsize=size * _POINTS,
            color=color,
            ha=align,
            va="center",
            parse_math=False,
            zorder=5,
            fontweight=fontweight,
        )

    def line(self, points: list[Point], color: str, *, width: float = 1.2, line: Any = "-", order: float = 1) -> None:
        """A line through points."""
        self.axes.plot(*zip(*points, strict=True), color=color, linewidth=width * _POINTS, linestyle=line, zorder=order)

    def arrow(self, points: list[Point], color: str, *, width: float = 1.2, line: Any = "-", order: float = 1) -> None:
        """A line that ends in an arrowhead."""
        if len(points) > 2:
            self.line(points[:-1], color, width=width, line=line, order=order)
        head = {"arrowstyle": "-|>,head_length=0.35,head_width=0.2", "color": color, "linewidth": width * _POINTS}
        style = head | {"linestyle": line, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 12}
        self.axes.annotate("", xy=points[-1], xytext=points[-2], arrowprops=style, zorder=order)

    def dot(self, point: Point, color: str) -> None:
        """A small disc."""
        self.axes.plot(*point, "o", color=color, markersize=4.5, zorder=3)


def text_width(words: str, size: float) -> float:
    """About how wide a text is, in pixels."""
    return len(words) * size * _WIDE_LETTER
