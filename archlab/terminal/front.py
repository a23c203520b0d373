"""A study's front as a terminal shows it: one row a trial, whatever the width."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from archlab.analysis.table import StudyTable, latency_columns
from archlab.evaluation.evaluation import kind_column, noisy_column
from archlab.evaluation.measures import COSTS, better
from archlab.report.cards import Picks
from archlab.terminal.listing import shown

if TYPE_CHECKING:
    from rich.console import Console

_LEAST_CHANGES = 30  # cells for what a trial changed, before another column goes
_LEAST_ROOM = 8  # cells for it at all
_PADDING = 3  # cells beside each column, with the line between two


class _Column(NamedTuple):
    """``rank``: what goes first on a narrow screen has the highest; 0 stays."""

    heading: str
    cells: list[str]
    rank: int = 0
    is_number: bool = True

    @property
    def width(self) -> int:
        return max(map(len, [self.heading, *self.cells]))


def print_front(study: StudyTable, picks: Picks, console: "Console | None" = None) -> None:
    """Print the front: what each trial is picked as, its objectives, costs, and the knobs that are not the baseline's.
    A narrow screen gets fewer columns; no number is ever broken."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = console or Console()
    columns = _columns(study, picks)
    if console.is_terminal:
        columns = _fitting(columns, console.width)
    else:
        console.width = max(console.width, sum(column.width + _PADDING for column in columns))
    title = f"Pareto front (quality: {study.quality_label}; {better(study.objectives)})"
    table = Table(title=Text(title), box=box.SIMPLE_HEAD, title_justify="left", padding=(0, 1))
    for column in columns:
        table.add_column(column.heading, justify="right" if column.is_number else "left", no_wrap=True)
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*map(Text, cells))
    console.print(table)


def _columns(study: StudyTable, picks: Picks) -> list[_Column]:
    """In the order of reading."""
    front = study.front
    named: dict[int, list[str]] = {}
    for word, trial in picks.items():
        named.setdefault(trial, []).append(word)
    rows = [row for _, row in front.iterrows()]
    costs = [name for name in COSTS if name in front and name not in study.objectives]
    return [
        _Column("trial", [str(trial) for trial in front["trial"]]),
        _Column("pick", [", ".join(named.get(int(trial), [])) for trial in front["trial"]], is_number=False),
        *(_Column(name, [_value(row, name, study) for row in rows]) for name in study.objectives),
        *(_Column(name, [shown(value) for value in front[name]], rank) for rank, name in enumerate(costs, 1)),
        _Column("changes from the baseline", [_changes(row, study) for row in rows], is_number=False),
    ]


def _fitting(columns: Sequence[_Column], width: int) -> list[_Column]:
    """Without what leaves too little room for the last column, the least important first; that one cut to fit."""
    kept = list(columns)
    while (droppable := [column for column in kept if column.rank]) and _room(kept, width) < _LEAST_CHANGES:
        kept.remove(max(droppable, key=lambda column: column.rank))
    room, last = _room(kept, width), kept.pop()
    if room < _LEAST_ROOM:
        return kept
    return [*kept, last._replace(heading=_cut(last.heading, room), cells=[_cut(cell, room) for cell in last.cells])]


def _room(columns: Sequence[_Column], width: int) -> int:
    """Cells that the last column has."""
    return width - sum(column.width + _PADDING for column in columns[:-1]) - _PADDING


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _value(row: "pd.Series[Any]", name: str, study: StudyTable) -> str:
    """``≈ 5.04``: estimated; ``5.04 (noisy)``: measured while the device had other things to do."""
    if name not in latency_columns(study):
        return shown(row[name])
    estimated = "≈ " * (row.get(kind_column(name) or "") == "estimated")
    return f"{estimated}{shown(row[name])}{' (noisy)' * (row.get(noisy_column(name) or '') is True)}"


def _changes(row: "pd.Series[Any]", study: StudyTable) -> str:
    changed = [name for name in study.knobs if row[name] == row[name] and row[name] != study.baseline.get(name)]
    return ", ".join(f"{name} {shown(row[name])}" for name in changed if row[name] is not None)
