"""The drawing as SVG, written directly: a hundredth of the time that a plotting library takes."""

from collections.abc import Sequence
from html import escape
from math import atan2, cos, pi, sin
from typing import Any

from archlab.drawing.geometry import Point, place
from archlab.drawing.info import DrawingInfo
from archlab.drawing.paint import paint
from archlab.drawing.style import INK, LOOKS, WIDTH, Look

_HEAD, _HEAD_ANGLE = 8.0, pi / 8  # pixels of an arrowhead's sides, and half of the angle between them
_ANCHORS = {"left": "start", "center": "middle", "right": "end"}


class SvgCanvas:
    """Boxes, lines and texts as SVG elements, see `archlab.drawing.canvas.Canvas`.

    Args:
        hatch: id of the pattern that boxes which are hatched are filled with.
    """

    def __init__(self, hatch: str) -> None:
        self.hatch = hatch
        self._parts: list[tuple[float, str]] = []

    @property
    def elements(self) -> list[str]:
        """From the lowest to the uppermost."""
        return [element for _, element in sorted(self._parts, key=lambda part: part[0])]

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
        place = f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" rx="{radius:g}"'
        self._add(order, f'{place} fill="{look.face}" stroke="{look.edge}"{_stroke(edge, look.line)}/>')
        if look.hatch:
            self._add(order, f'{place} fill="url(#{self.hatch})"/>')

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
        style = f' text-anchor="{_ANCHORS[align]}"' * (align != "left") + ' font-weight="700"' * (fontweight == "bold")
        style += f' font-size="{size:g}"' * (size != 11)
        self._add(5, f'<text x="{x:g}" y="{y:g}" dy=".35em" fill="{color}"{style}>{escape(words)}</text>')

    def line(self, points: list[Point], color: str, *, width: float = 1.2, line: Any = "-", order: float = 1) -> None:
        """A line through points."""
        self._add(order, f'<path d="{_path(points)}" fill="none" stroke="{color}"{_stroke(width, line)}/>')

    def arrow(self, points: list[Point], color: str, *, width: float = 1.2, line: Any = "-", order: float = 1) -> None:
        """A line that ends in an arrowhead."""
        before, tip = points[-2:]
        left, end, right = (_back(before, tip, turn) for turn in (-_HEAD_ANGLE, 0.0, _HEAD_ANGLE))
        self.line([*points[:-1], end], color, width=width, line=line, order=order)
        self._add(order, f'<path d="{_path([tip, left, right])}Z" fill="{color}"/>')

    def dot(self, point: Point, color: str) -> None:
        """A small disc."""
        self._add(3, f'<circle cx="{point[0]:g}" cy="{point[1]:g}" r="3.1" fill="{color}"/>')

    def _add(self, order: float, element: str) -> None:
        self._parts.append((order, element))


def inline_svg(info: DrawingInfo, prefix: str) -> str:
    """The picture as an element of an HTML page: no prolog, no addresses, every id begins with ``prefix``."""
    return "".join(svg_parts(info, prefix))


def svg_parts(info: DrawingInfo, prefix: str, attributes: str = "") -> list[str]:
    """`inline_svg` in parts, one after the other; drawings of similar architectures have most of them in common.

    Args:
        attributes: further ones of the ``<svg>`` element, after a space.
    """
    geometry, hatch = place(info), f"{prefix}-hatch"
    canvas = SvgCanvas(hatch)
    paint(canvas, info, geometry)
    opening = (
        f'<svg{attributes} viewBox="0 0 {WIDTH} {geometry.height:g}" font-family="DejaVu Sans, Verdana, sans-serif" '
        f'font-size="11"><rect width="{WIDTH}" height="{geometry.height:g}" fill="#fff"/>'
    )
    pattern = (
        f'<defs><pattern id="{hatch}" width="8" height="8" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate(45)"><path d="M0 0V8" stroke="{LOOKS["removed"].hatch}" stroke-width="3.2"/>'
        "</pattern></defs>"
    )
    return [opening, pattern, *canvas.elements, "</svg>"]


def _back(before: Point, tip: Point, turn: float) -> Point:
    """An arrowhead's length back from its tip, turned by so many radians."""
    way = atan2(tip[1] - before[1], tip[0] - before[0]) + turn
    return tip[0] - _HEAD * cos(way), tip[1] - _HEAD * sin(way)


def _path(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{x:.4g} {y:.4g}" for x, y in points)


def _stroke(width: float, line: Any) -> str:
    """``line``: ``"-"``, or as Matplotlib has dashes, in widths of the line."""
    dashes = "" if line == "-" else f' stroke-dasharray="{" ".join(f"{width * part:g}" for part in line[1])}"'
    return f' stroke-width="{width:g}"{dashes}'
