"""Puts a placed drawing on a canvas."""

from itertools import pairwise

from archlab.drawing.canvas import Canvas, text_width
from archlab.drawing.geometry import Geometry, PlacedCell, PlacedRow, PlacedSkip, Point
from archlab.drawing.info import Cell, DrawingInfo, Mark, MarkKind, Status
from archlab.drawing.style import (
    BAND,
    CELL_HEIGHT,
    CELL_WIDTH,
    FAINT,
    FLOW,
    HEADER,
    INK,
    LINE_HEIGHT,
    LOOKS,
    MARGIN,
    MARK_COLOURS,
    MUTED,
    STAGE_GAP,
    WIDTH,
    Look,
)
from archlab.drawing.words import SYMBOLS, cell_name, conv_word, cost_words, outcome, row_words, title, totals

_MARK_NAMES: dict[MarkKind, str] = {"SA": "self-attention", "CA": "cross-attention", "FF": "feed-forward"}
_CHIP = (28, 17)
_LONG_LABEL = 13
_CHIPS_AT, _DEPTH_AT, _TAB = 174, 271, 20


def paint(canvas: Canvas, info: DrawingInfo, geometry: Geometry) -> None:
    """Draw everything."""
    most = max((value for cell in info.blocks for value in cell.cost if value), default=0.0)
    _header(canvas, info)
    if info.compares:
        _legend(canvas)
    for placed in (*geometry.rows, geometry.middle):
        _band(canvas, placed, "middle" if placed is geometry.middle else "")
    _flow(canvas, geometry, info.unit)
    for placed in (*geometry.rows, geometry.middle):
        for skip in sorted(placed.skips, key=lambda skip: skip.status != "removed"):
            _skip(canvas, skip)
        for cell in (*placed.down, *placed.up):
            _cell(canvas, cell, info.unit, most)


def _header(canvas: Canvas, info: DrawingInfo) -> None:
    canvas.text(MARGIN, 26, title(info), size=20, fontweight="bold")
    canvas.text(MARGIN, 50, "   ·   ".join(totals(info)), size=13)
    if info.compares:
        words = outcome(info)
        canvas.text(MARGIN, 70, words, size=min(13, (WIDTH - 2 * MARGIN) / text_width(words, 1)))
    x, y = float(WIDTH - MARGIN), HEADER + 11 if info.compares else 50
    for kind, name in reversed(_MARK_NAMES.items()):
        canvas.text(x, y, name, color=MUTED, align="right")
        x -= text_width(name, 11) + _CHIP[0] + 4
        _chip(canvas, x, y, Mark(kind, "kept", 1))
        x -= 18


def _legend(canvas: Canvas) -> None:
    """What the statuses look like; beside it what the marks stand for."""
    x = float(MARGIN)
    for status in LOOKS:
        _status_box(canvas, x, HEADER + 2, 34, 18, status)
        canvas.text(x + 42, HEADER + 11, status)
        x += 64 + text_width(status, 11)
    for color, line, words in (
        (FAINT, LOOKS["removed"].line, "skip that is gone"),
        (LOOKS["added"].edge, "-", "new skip"),
    ):
        canvas.line([(x, HEADER + 11), (x + 34, HEADER + 11)], color, line=line)
        canvas.text(x + 42, HEADER + 11, words)
        x += 64 + text_width(words, 11)


def _band(canvas: Canvas, placed: PlacedRow, name: str) -> None:
    """The stage's background with its resolution and channels."""
    if placed.bottom <= placed.top:
        return
    look, middle = LOOKS[placed.row.status], (placed.top + placed.bottom) / 2
    canvas.box(8, placed.top, WIDTH - 16, placed.bottom - placed.top, Look(edge=BAND, face=BAND), radius=8, order=0)
    words = [*([name] if name else []), *row_words(placed.row)]
    lines = [(words[0], INK, "bold"), *((line, MUTED, "normal") for line in words[1:])]
    if placed.row.status != "kept":
        lines.append((f"{SYMBOLS[placed.row.status]} stage {placed.row.status}", look.edge, "bold"))
    for k, (line, color, weight) in enumerate(lines):
        y = middle + (k - (len(lines) - 1) / 2) * 17
        size = 13 if k == 0 and len(line) < _LONG_LABEL else 11
        canvas.text(MARGIN, y, line, size=size, color=color, fontweight=weight)


def _cell(canvas: Canvas, placed: PlacedCell, unit: str, most: float) -> None:
    cell, y = placed.cell, placed.top + CELL_HEIGHT / 2
    ink = MUTED if cell.status == "removed" else INK
    _status_box(canvas, placed.left, placed.top, CELL_WIDTH, placed.height, cell.status)
    canvas.text(placed.left + _TAB + 8, y, cell_name(cell), color=ink, fontweight="bold")
    canvas.text(placed.left + _TAB + 90, y, conv_word(cell), color=MUTED)
    for mark in cell.marks:
        if cell.status == mark.status == "added":
            mark = mark._replace(status="kept")
        _chip(canvas, placed.left + _CHIPS_AT + list(MARK_COLOURS).index(mark.kind) * (_CHIP[0] + 4), y, mark)
    if cell.depth:
        canvas.text(placed.left + _DEPTH_AT, y, f"×{cell.depth}", color=ink)
    canvas.text(placed.right - 8, y - 2, cost_words(cell, unit), color=ink, align="right")
    _cost_bar(canvas, placed, most)
    for k, words in enumerate(placed.words):
        canvas.text(placed.left + _TAB + 8, placed.top + CELL_HEIGHT + (k + 0.3) * LINE_HEIGHT, words, size=10.2)


def _skip(canvas: Canvas, skip: PlacedSkip) -> None:
    look = LOOKS[skip.status]
    color = FAINT if skip.status == "removed" else MUTED if skip.status == "kept" else look.edge
    canvas.arrow([skip.start, skip.end], color, width=1.1, line=look.line, order=1.5)
    if skip.from_input and skip.status != "removed":
        canvas.dot(skip.start, color)


def _status_box(canvas: Canvas, left: float, top: float, width: float, height: float, status: Status) -> None:
    look = LOOKS[status]
    canvas.box(left, top, width, height, look, edge=1.2 if status == "kept" else 1.8)
    if SYMBOLS[status].strip():
        at = (left + _TAB / 2 + 1, top + min(height, CELL_HEIGHT) / 2)
        canvas.text(*at, SYMBOLS[status], size=17, color=look.edge, align="center", fontweight="bold")


def _chip(canvas: Canvas, left: float, y: float, mark: Mark) -> None:
    """SA, CA or FF with the symbol of its status; a ghost, struck out, where it is gone."""
    width, height = _CHIP
    top = y - height / 2
    color = MARK_COLOURS[mark.kind]
    if mark.status == "removed":
        look = LOOKS["removed"]
        canvas.box(left, top, width, height, Look(edge=look.edge, face="white", line=look.line), radius=4, edge=1)
        canvas.text(left + width / 2, y, mark.kind, size=10.2, color=look.edge, align="center")
        canvas.line([(left + 3, y + 5), (left + width - 3, y - 5)], look.edge, width=1.4, order=6)
        return
    sign = SYMBOLS[mark.status].strip()
    edge, width_px = (LOOKS[mark.status].edge, 2.2) if sign else (color, 1.2)
    canvas.box(left, top, width, height, Look(edge=edge, face=color), radius=4, edge=width_px)
    words, size = f"{sign}{mark.kind}", 9 if sign else 10.2
    canvas.text(left + width / 2, y, words, size=size, color="white", align="center", fontweight="bold")


def _cost_bar(canvas: Canvas, placed: PlacedCell, most: float) -> None:
    """The cell's share of the most expensive cell's cost, under the number."""
    if not most:
        return
    end, y, length = placed.right - 8, placed.top + CELL_HEIGHT - 5, 76
    for value, color in zip(placed.cell.cost, (FAINT, MUTED), strict=True):
        if value:
            canvas.line([(end - length * value / most, y), (end, y)], color, width=3, order=3)


def _flow(canvas: Canvas, geometry: Geometry, unit: str) -> None:
    """The way through the network: down on the left, through the middle, up on the right."""
    for placed in geometry.rows:
        canvas.line([(placed.down_x, placed.entry), (placed.down_x, placed.down[-1].top)], MUTED, width=1.6)
        canvas.line([(placed.up_x, placed.up[0].top), (placed.up_x, placed.up[-1].bottom)], MUTED, width=1.6)
    for upper, lower in pairwise(geometry.rows):
        y = (upper.bottom + lower.top) / 2
        canvas.line([(upper.down_x, upper.down[-1].bottom), (upper.down_x, y)], MUTED, width=1.6)
        canvas.arrow([(upper.down_x, y), (lower.down_x, y), (lower.down_x, lower.entry)], MUTED, width=1.6)
        _resampling(canvas, (upper.down_x - 10, y), "right", upper.row.downsample, unit)
        canvas.line([(lower.up_x, lower.up[-1].top), (lower.up_x, y)], MUTED, width=1.6)
        canvas.arrow([(lower.up_x, y), (upper.up_x, y), (upper.up_x, upper.up[0].bottom)], MUTED, width=1.6)
        _resampling(canvas, (upper.up_x + 10, y), "left", lower.row.upsample, unit)
    _turn(canvas, geometry.rows[-1], geometry.middle)


def _turn(canvas: Canvas, lowest: PlacedRow, middle: PlacedRow) -> None:
    """From the last block down through the middle to the first block up."""
    start, end = (lowest.down_x, lowest.down[-1].bottom), (lowest.up_x, lowest.up[0].bottom)
    if not middle.down:
        y = lowest.bottom + STAGE_GAP / 2
        canvas.arrow([start, (start[0], y), (end[0], y), end], MUTED, width=1.6)
        return
    first, last = middle.down[0], middle.down[-1]
    left, right = min(start[0], first.left - FLOW / 2), max(end[0], last.right + FLOW / 2)
    canvas.arrow([(left, start[1]), (left, first.middle), (first.left, first.middle)], MUTED, width=1.6)
    canvas.arrow([(last.right, last.middle), (right, last.middle), (right, end[1])], MUTED, width=1.6)
    canvas.line([(first.left + FLOW, first.bottom), (first.left + FLOW, last.top)], MUTED, width=1.6)


def _resampling(canvas: Canvas, at: Point, align: str, cell: Cell | None, unit: str) -> None:
    """The resampling convolution beside the line of the flow."""
    if cell is None:
        return
    kind, look = cell_name(cell).partition(".")[0], LOOKS[cell.status]
    conv = next((word for word in cell.changes if word.startswith("conv ")), f"conv {cell.conv}").partition(" ")[2]
    words = f"{SYMBOLS[cell.status]} {kind} · {conv} · {cost_words(cell, unit)}".strip()
    canvas.text(*at, words, color=MUTED if cell.status == "kept" else look.edge, size=10.2, align=align)
