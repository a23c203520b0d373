"""The drawing for a terminal."""

from collections.abc import Iterator
from itertools import zip_longest

from rich.text import Text

from archlab.drawing.info import Cell, DrawingInfo, Level, Row, Status, is_level, levels
from archlab.drawing.words import (
    SYMBOLS,
    cell_lines,
    cell_name,
    conv_word,
    cost_words,
    outcome,
    row_words,
    title,
    totals,
)

STYLES: dict[Status, str] = {"kept": "", "changed": "yellow", "added": "bold green", "removed": "red"}
_CELL, _GAP = 55, 5
_INDENT = "   "
_WIDE = 2 * _CELL + _GAP + len(_INDENT)


def text_drawing(info: DrawingInfo, width: int = _WIDE) -> Text:
    """The drawing as lines of up to 118 columns, the way down to the left and the way up to the right; where ``width``
    is less, of up to 58 and the way up below the way down. Colours show on a terminal only, the symbols −, + and ~
    everywhere."""
    lines = [Text(title(info), style="bold"), Text(" · ".join(totals(info)))]
    if info.compares:
        lines += [Text(outcome(info)), Text("− removed   + added   ~ changed", style="dim")]
    for row in info.rows:
        lines += [Text(), _heading("", row)]
        lines += _row_lines(row, info.unit) if width >= _WIDE else _narrow_row_lines(row, info.unit)
    if info.middle.down:
        lines += [Text(), _heading("middle", info.middle)]
        for cell in info.middle.down:
            lines += [_indented(line) for line in _cell_lines(cell, info.unit)]
    for line in lines:
        line.rstrip()
    return Text("\n").join(lines)


def _row_lines(row: Row, unit: str) -> Iterator[Text]:
    if row.upsample is not None:
        yield _beside(Text(), " ", _resampling("↑", row.upsample, unit))
    for level in levels(row):
        yield from _level_lines(row, level, unit)
    if row.downsample is not None:
        yield _indented(_resampling("↓", row.downsample, unit))


def _narrow_row_lines(row: Row, unit: str) -> Iterator[Text]:
    for cell in row.down:
        yield from map(_indented, _cell_lines(cell, unit))
    if row.downsample is not None:
        yield _indented(_resampling("↓", row.downsample, unit))
    if row.upsample is not None:
        yield _indented(_resampling("↑", row.upsample, unit))
    for cell in reversed(row.up):
        yield from map(_indented, _cell_lines(cell, unit, _skips(row, cell, level_too=True)))


def _heading(name: str, row: Row) -> Text:
    size, channels = row_words(row)
    words = " · ".join(filter(None, (name, size, channels)))
    note = "" if row.status == "kept" else f"  {SYMBOLS[row.status]} stage {row.status}"
    return Text.assemble((words, "bold"), (note, STYLES[row.status]))


def _level_lines(row: Row, level: Level, unit: str) -> Iterator[Text]:
    skip = None if level.skip == "removed" else level.skip
    left = _cell_lines(level.down, unit) if level.down else []
    if level.is_input and skip:
        left = [Text("stage input".rjust(_CELL), style="dim")]
    right = _cell_lines(level.up, unit, _skips(row, level.up, level_too=False)) if level.up else []
    link = {None: "", "kept": "───▸", "added": "+──▸"}[skip]
    for k, (start, end) in enumerate(zip_longest(left, right, fillvalue=Text())):
        yield _beside(start, "" if k else link, end, level.skip)


def _beside(left: Text, link: str, right: Text, status: Status | None = None) -> Text:
    padded = left.copy()
    padded.pad_right(max(0, _CELL - left.cell_len))
    return Text.assemble(_INDENT, padded, (link.center(_GAP), STYLES[status or "kept"] or "dim"), right)


def _cell_lines(cell: Cell, unit: str, more: tuple[str, ...] = ()) -> list[Text]:
    """The cell's line, then what changed in it."""
    line = Text(f"{SYMBOLS[cell.status]} {cell_name(cell):<12} {conv_word(cell):<9}", style=STYLES[cell.status])
    marks = {mark.kind: mark for mark in cell.marks}
    for kind in ("SA", "CA", "FF"):
        mark = marks.get(kind)
        shown = f" {SYMBOLS[mark.status] if mark.status != cell.status else ' '}{kind}" if mark else ""
        line.append(f"{shown:<4}", STYLES[mark.status] if mark else "")
    depth = f" ×{cell.depth}" if cell.depth else ""
    line.append(f"{depth:<4}")
    line.append(cost_words(cell, unit).rjust(_CELL - line.cell_len - 1))
    return [line, *(Text(f"  {words}", style="dim") for words in cell_lines(cell, _CELL - 4, *more))]


def _resampling(arrow: str, cell: Cell, unit: str) -> Text:
    kind = cell_name(cell).partition(".")[0]
    words = f"{SYMBOLS[cell.status]} {arrow} {kind:<11}{conv_word(cell)}"
    cost = cost_words(cell, unit).rjust(_CELL - len(words) - 1)
    return Text(f"{words}{cost}", style=STYLES[cell.status] or "dim")


def _skips(row: Row, cell: Cell, *, level_too: bool) -> tuple[str, ...]:
    """Where the block's skip comes from after; without ``level_too`` only if not from the block beside."""
    sources = (
        s.source
        for s in row.skips
        if row.up[s.target] is cell and s.status != "removed" and (level_too or not is_level(row, s))
    )
    return tuple(
        f"skip from {'the stage input' if source is None else cell_name(row.down[source])}" for source in sources
    )


def _indented(line: Text) -> Text:
    return Text.assemble(_INDENT, line)
