"""The curve of a model's training: ``curve.csv``, one row for each optimiser step."""

import csv
from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from archlab.files import write_text


class Point(NamedTuple):
    """One optimiser step.

    Attributes:
        val_loss: of the averaged weights after it, where it was measured.
        seconds: in training steps up to its end.
    """

    step: int
    loss: float
    val_loss: float | None
    learning_rate: float
    seconds: float


def write_curve(path: Path, points: Iterable[Point]) -> None:
    """Write the CSV, whole or not at all; an unknown validation loss is an empty cell."""
    table = StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(Point._fields)
    writer.writerows(points)
    write_text(path, table.getvalue())
