"""Draws an architecture, or what became of another: as data, as text, as a picture."""

from pathlib import Path

from archlab.architecture import UNetSpec
from archlab.drawing.compare import drawing_info
from archlab.drawing.info import Amount, Cell, DrawingInfo, Level, Mark, Row, Skip, Subject, Total, levels
from archlab.drawing.picture import write_picture
from archlab.drawing.svg import inline_svg, svg_parts
from archlab.drawing.text import text_drawing

__all__ = [
    "Amount",
    "Cell",
    "DrawingInfo",
    "Level",
    "Mark",
    "Row",
    "Skip",
    "Subject",
    "Total",
    "draw_architecture",
    "drawing_info",
    "inline_svg",
    "levels",
    "svg_parts",
    "text_drawing",
    "write_picture",
]


def draw_architecture(spec: UNetSpec, stem: str | Path, *, title: str = "architecture") -> tuple[Path, Path]:
    """Draw one architecture as ``<stem>.svg`` and ``<stem>.png``; see `write_picture`."""
    return write_picture(drawing_info(Subject(title, spec)), stem)
