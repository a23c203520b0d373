"""Where everything of a picture goes, in pixels from its upper left corner."""

from typing import NamedTuple

from archlab.drawing.info import Cell, DrawingInfo, Row, Skip, Status, levels
from archlab.drawing.style import (
    CELL_GAP,
    CELL_HEIGHT,
    CELL_WIDTH,
    FLOW,
    HEADER,
    LABEL,
    LEAST_CENTRE,
    LEGEND,
    LINE_HEIGHT,
    MARGIN,
    MOST_INDENT,
    PADDING,
    STAGE_GAP,
    WIDTH,
    WORDS_WIDTH,
)
from archlab.drawing.words import cell_lines

Point = tuple[float, float]


class PlacedCell(NamedTuple):
    """A block with the lines of what changed in it."""

    cell: Cell
    left: float
    top: float
    height: float
    words: tuple[str, ...]

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.left + CELL_WIDTH

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.top + self.height

    @property
    def middle(self) -> float:
        """Height of its middle."""
        return self.top + self.height / 2


class PlacedSkip(NamedTuple):
    """A skip from one point to another; ``from_input`` where it starts at the stage's input."""

    start: Point
    end: Point
    status: Status
    from_input: bool


class PlacedRow(NamedTuple):
    """A stage or the middle."""

    row: Row
    top: float
    bottom: float
    down: tuple[PlacedCell, ...]
    up: tuple[PlacedCell, ...]
    skips: tuple[PlacedSkip, ...]

    @property
    def down_x(self) -> float:
        """Where the way down runs."""
        return self.down[0].right - FLOW

    @property
    def up_x(self) -> float:
        """Where the way up runs."""
        return self.up[0].left + FLOW

    @property
    def entry(self) -> float:
        """Height at which the way down reaches the stage's first block or the skip from its input."""
        return min([self.down[0].top, *(skip.start[1] for skip in self.skips if skip.from_input)])


class Geometry(NamedTuple):
    """The picture: its height, its rows from top to bottom, the middle."""

    height: float
    rows: tuple[PlacedRow, ...]
    middle: PlacedRow


def place(info: DrawingInfo) -> Geometry:
    """Place a drawing. Stages below each other, each further in than the one above; within a stage the way down runs
    down on the left, the way up rises on the right."""
    deepest = len(info.rows) - 1
    spare = WIDTH - LABEL - 2 * CELL_WIDTH - LEAST_CENTRE - MARGIN
    indent = min(MOST_INDENT, spare / 2 / max(1, deepest))
    top: float = HEADER + (LEGEND if info.compares else 0)
    rows = []
    for depth, row in enumerate(info.rows):
        rows.append(_place_row(row, top, depth * indent))
        top = rows[-1].bottom + STAGE_GAP
    middle = _place_middle(info.middle, top)
    return Geometry(middle.bottom + (MARGIN if info.middle.down else 0), tuple(rows), middle)


def _place_row(row: Row, top: float, indent: float) -> PlacedRow:
    left, right = LABEL + indent, WIDTH - MARGIN - indent - CELL_WIDTH
    down: list[PlacedCell] = []
    up: list[PlacedCell] = []
    y: float = top + PADDING
    inputs = y
    for level in levels(row):
        height = max((_height(cell) for cell in (level.down, level.up) if cell is not None), default=0)
        if level.down is not None:
            down.append(_place_cell(level.down, left, y + (height - _height(level.down)) / 2))
        if level.up is not None:
            up.append(_place_cell(level.up, right, y + (height - _height(level.up)) / 2))
        if level.is_input:
            inputs = y + height / 2
        y += height + CELL_GAP
    up.reverse()
    skips = tuple(_place_skip(skip, down, up, (left + CELL_WIDTH - FLOW, inputs)) for skip in row.skips)
    return PlacedRow(row, top, y - CELL_GAP + PADDING, tuple(down), tuple(up), skips)


def _place_skip(skip: Skip, down: list[PlacedCell], up: list[PlacedCell], entry: Point) -> PlacedSkip:
    target = up[skip.target]
    end = (target.left, target.middle)
    if skip.source is None:
        return PlacedSkip(entry, end, skip.status, from_input=True)
    source = down[skip.source]
    return PlacedSkip((source.right, source.middle), end, skip.status, from_input=False)


def _place_middle(row: Row, top: float) -> PlacedRow:
    left = (LABEL + WIDTH - MARGIN - CELL_WIDTH) / 2
    y = top + PADDING
    cells = []
    for cell in row.down:
        cells.append(_place_cell(cell, left, y))
        y = cells[-1].bottom + CELL_GAP
    return PlacedRow(row, top, y - CELL_GAP + PADDING if cells else top, tuple(cells), (), ())


def _place_cell(cell: Cell, left: float, top: float) -> PlacedCell:
    return PlacedCell(cell, left, top, _height(cell), _wrapped(cell))


def _height(cell: Cell) -> float:
    return CELL_HEIGHT + LINE_HEIGHT * len(_wrapped(cell))


def _wrapped(cell: Cell) -> tuple[str, ...]:
    return tuple(cell_lines(cell, WORDS_WIDTH))
