"""Which differences of a table are within the noise of measuring."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from archlab.evaluation.evaluation import interval_columns, noisy_column

_SURE = 1.96  # standard errors of a 95 % interval


def ends(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Between which values each row's lies: ``low`` and ``high``, the value itself where no interval is known."""
    value = rows[column].astype(float)
    names = interval_columns(column)
    if names is None or not set(names) <= set(rows):
        return pd.DataFrame({"low": value, "high": value})
    low, high = (rows[name].astype(float).fillna(value) for name in names)
    return pd.DataFrame({"low": low, "high": high})


def equals(rows: pd.DataFrame, column: str, trial: int) -> list[int]:
    """The other trials whose interval in the column overlaps that of ``trial``; none where nothing was measured."""
    if interval_columns(column) is None:
        return []
    known = ends(rows, column)
    own = known[rows["trial"] == trial].iloc[0]
    overlaps = (known["low"] <= own["high"]) & (known["high"] >= own["low"]) & (rows["trial"] != trial)
    return sorted(int(number) for number in rows["trial"][overlaps])


def quality_margin(row: Mapping[Any, Any], seeds: int) -> float | None:
    """Half of a quality's 95 % interval: by its spread over several seeds, else by the bootstrap over the images that
    it was scored on, which says nothing of another training; None where neither is known."""
    spread, error = row.get("quality_std"), row.get("quality_error")
    if isinstance(spread, float) and math.isfinite(spread) and seeds > 1:
        return _SURE * spread / math.sqrt(seeds)
    return _SURE * error if isinstance(error, float) and math.isfinite(error) else None


def noisy_trials(rows: pd.DataFrame, column: str) -> set[int]:
    """The trials whose value in the column cannot be trusted."""
    name = noisy_column(column)
    if name is None or name not in rows:
        return set()
    return {int(number) for number in rows["trial"][rows[name].eq(True)]}


def listed(trials: list[int]) -> str:
    """``trial 3``; ``trials 3, 5 and 8``."""
    *first, last = map(str, trials)
    return f"trials {', '.join(first)} and {last}" if first else f"trial {last}"
