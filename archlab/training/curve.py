"""A training curve: one row for each optimiser step."""

import csv
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from archlab.files import write_text


class CurveRow(NamedTuple):
    """One optimiser step: its batch's loss and the training seconds up to its end."""

    step: int
    loss: float
    seconds: float


def write_curves(path: Path, by_seed: Iterable[tuple[int, Sequence[CurveRow]]]) -> None:
    """All seeds' curves as one CSV, whole or not at all."""
    table = StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("seed", *CurveRow._fields))
    for seed, curve in by_seed:
        writer.writerows((seed, *row) for row in curve)
    write_text(path, table.getvalue())


def curve_tensor(curve: Sequence[CurveRow]) -> Tensor:
    """Loss and seconds of each step, exact: float64 [steps, 2]."""
    return torch.tensor([row[1:] for row in curve], dtype=torch.float64).reshape(-1, 2)


def curve_rows(curve: Tensor) -> list[CurveRow]:
    """What `curve_tensor` was given."""
    return [CurveRow(step, loss, seconds) for step, (loss, seconds) in enumerate(curve.tolist(), start=1)]
