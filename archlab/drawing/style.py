"""Colours and measures of the picture. Every status also has a symbol and a pattern of its own, for readers who do
not tell red from green."""

from typing import NamedTuple

from archlab.drawing.info import MarkKind, Status

INK, MUTED, FAINT, BAND = "#17202e", "#5b6577", "#c3c9d3", "#f6f7f9"


class Look(NamedTuple):
    """How a status is drawn; ``hatch`` is the colour of its hatching, if any."""

    edge: str
    face: str
    line: str | tuple[int, tuple[int, int]] = "-"
    hatch: str | None = None


LOOKS: dict[Status, Look] = {
    "kept": Look(edge="#aeb6c2", face="#ffffff"),
    "changed": Look(edge="#c98a00", face="#fff3d1"),
    "added": Look(edge="#12805c", face="#dff3ea"),
    "removed": Look(edge="#c4452f", face="#fdf3f1", line=(0, (4, 3)), hatch="#f5d3cc"),
}
MARK_COLOURS: dict[MarkKind, str] = {"SA": "#1f4e9c", "CA": "#3d8fcc", "FF": "#7a63a8"}

# In pixels of a picture that is 1200 wide.
WIDTH, DPI = 1200, 100
HEADER, LEGEND = 86, 34
LABEL = 140  # width of the stage's name to the left
CELL_WIDTH, CELL_HEIGHT, LINE_HEIGHT, CELL_GAP = 388, 30, 15, 8
STAGE_GAP, PADDING, MARGIN = 34, 10, 20
MOST_INDENT, LEAST_CENTRE = 28, 96
FLOW = 56  # from a cell's inner edge to the line of the flow
WORDS_WIDTH = 62  # letters on a line of words
