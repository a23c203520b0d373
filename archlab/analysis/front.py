"""The Pareto front."""

from collections.abc import Iterable, Sequence

import moocore
import pandas as pd

from archlab.analysis.table import minimised


def mark_front(table: pd.DataFrame, objectives: Sequence[str]) -> pd.Series:
    """True for the complete trials that no other complete trial dominates; of equals, all."""
    on_front = pd.Series(False, index=table.index)
    if len(table):
        complete = table[table["status"] == "complete"].dropna(subset=list(objectives))
        points = minimised(complete, objectives).to_numpy()
        on_front[complete.index] = moocore.is_nondominated(points, keep_weakly=True)
    return on_front


def is_dominated(point: Iterable[float], others: Iterable[Iterable[float]]) -> bool:
    """Whether one of ``others`` is as good in every objective and better in one; every objective is minimised."""
    mine = tuple(point)
    return any(all(a <= b for a, b in zip(other, mine, strict=True)) and other != mine for other in map(tuple, others))
