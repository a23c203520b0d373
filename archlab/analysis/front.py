"""The Pareto front."""

from collections.abc import Iterable, Sequence

import moocore
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from archlab.analysis.table import minimised


def mark_front(table: pd.DataFrame, objectives: Sequence[str]) -> pd.Series:
    """True for the complete trials that no other complete trial dominates; of equals, all."""
    on_front = pd.Series(False, index=table.index)
    if len(table):
        complete = table[table["status"] == "complete"].dropna(subset=list(objectives))
        points = minimised(complete, objectives).to_numpy()
        on_front[complete.index] = moocore.is_nondominated(points, keep_weakly=True)
    return on_front


def may_be_on_front(low: ArrayLike, high: ArrayLike) -> NDArray[np.bool_]:
    """Of points that lie somewhere between ``low`` and ``high`` [N, M], those that no other surely dominates [N].

    Every coordinate is better when it is lower.
    """
    best, worst = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    if not len(best):
        return np.zeros(0, dtype=bool)
    others = worst[moocore.is_nondominated(worst, keep_weakly=True)]  # what dominates surely, one of these does too
    return ~np.array([((others <= point).all(axis=1) & (others < point).any(axis=1)).any() for point in best])


def is_dominated(point: Iterable[float], others: Iterable[Iterable[float]]) -> bool:
    """Whether one of ``others`` is as good in every objective and better in one; every objective is minimised."""
    mine = tuple(point)
    return any(all(a <= b for a, b in zip(other, mine, strict=True)) and other != mine for other in map(tuple, others))
