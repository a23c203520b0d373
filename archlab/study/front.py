"""The Pareto front, and picks from it. Every objective is minimised."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from archlab.errors import BadInput

_MOST_DIGITS = 10


class Pick(NamedTuple):
    """A trial chosen from the front, with one sentence of why."""

    trial: int
    why: str


def mark_front(table: pd.DataFrame, objectives: Sequence[str]) -> pd.Series:
    """True for the complete trials that no other complete trial dominates; of equals, all."""
    on_front = pd.Series(False, index=table.index)
    complete = table[table["status"] == "complete"].dropna(subset=list(objectives)) if len(table) else table
    if len(complete):
        values = complete[list(objectives)].to_numpy(dtype=float)
        for index, point in zip(complete.index, values, strict=True):
            dominated = np.any(np.all(values <= point, axis=1) & np.any(values < point, axis=1))
            on_front[index] = not dominated
    return on_front


def is_dominated(point: Iterable[float], others: Iterable[Iterable[float]]) -> bool:
    """Whether one of ``others`` is as good in every objective and better in one."""
    mine = tuple(point)
    return any(all(a <= b for a, b in zip(other, mine, strict=True)) and other != mine for other in map(tuple, others))


def picks(front: pd.DataFrame, objectives: Sequence[str]) -> dict[str, Pick]:
    """``knee``, ``fastest`` and ``best`` of a front; empty for an empty front.

    The knee is the point nearest to the ideal (the best of every objective), objectives scaled to the front's range.
    """
    if front.empty:
        return {}
    values = front[list(objectives)].to_numpy(dtype=float)
    low, high = values.min(axis=0), values.max(axis=0)
    scaled = (values - low) / np.where(high > low, high - low, 1.0)
    costs = [name for name in objectives if name != "quality"]
    knee = int(front.iloc[int(np.linalg.norm(scaled, axis=1).argmin())]["trial"])
    chosen = {"knee": Pick(knee, "nearest to the best of every objective at once, scaled to the front's range")}
    if costs:
        least = front.sort_values([costs[0], *[o for o in objectives if o != costs[0]]]).iloc[0]
        chosen["fastest"] = Pick(int(least["trial"]), f"least {costs[0]} on the front: {least[costs[0]]:.4g}")
    if "quality" in objectives:
        best = front.sort_values(["quality", *costs]).iloc[0]
        chosen["best"] = Pick(int(best["trial"]), f"best quality on the front: {best['quality']:.4g}")
    return chosen


def pick(table: pd.DataFrame, front: pd.DataFrame, objectives: Sequence[str], word: str) -> Pick:
    """The trial that ``word`` names: a pick or a trial's number.

    Raises:
        BadInput: no such pick, no such trial, or one without trained weights.
    """
    chosen = picks(front, objectives)
    if word in chosen:
        return chosen[word]
    if not (word.isdecimal() and len(word) < _MOST_DIGITS):
        valid = ", ".join([*chosen, "a trial's number"])
        raise BadInput(f"--pick: no {word!r}; valid: {valid}" if chosen else "--pick: the front is empty")
    rows = table[table["trial"] == int(word)]
    if rows.empty:
        raise BadInput(f"--pick: there is no trial {word}; the last is {table['trial'].max()}")
    if rows.iloc[0]["status"] != "complete":
        raise BadInput(f"--pick: trial {word} is {rows.iloc[0]['status']} ({rows.iloc[0]['reason']}), not trained")
    return Pick(int(word), "chosen by number")
