"""What a report needs of a study: plain data, so that it can be made without running one."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from archlab.analysis.table import StudyTable, cost_objectives, devices
from archlab.evaluation.evaluation import LATENCY_COLUMNS, kind_column
from archlab.evaluation.measures import COSTS, OF_DEVICES, breaks, column_suffixes, find_column

_LIKE_TIME = ("latency_ms", "macs_g")  # what a person wants to see quality against, where nothing else is asked


def charted_cost(study: StudyTable) -> str:
    """What charts show quality against: the first cost objective, else the first other objective, else the first cost
    that was measured."""
    for name in [*cost_objectives(study.objectives), *(name for name in study.objectives if name != "quality")]:
        return name
    known = [*_LIKE_TIME, *COSTS]
    return next((name for name in known if _column(study.trials, name).notna().any()), "macs_g")


def further_objectives(study: StudyTable) -> list[str]:
    """Objectives that have a chart of their own beside that of `charted_cost`: what is measured on devices, and scores;
    what is counted by formula has none."""
    shown = ("quality", charted_cost(study))
    return [name for name in study.objectives if name not in (*shown, *COSTS)]


def estimated(study: StudyTable, column: str) -> set[int]:
    """Trials whose value in a column is estimated."""
    trials, kind = study.trials, kind_column(column)
    if kind is None:
        return set()
    return {int(number) for number in trials["trial"][_column(trials, kind) == "estimated"]}


def measurements(study: StudyTable) -> list[str]:
    """Columns of numbers, and of how latencies came about, as far as the study has them, in reading order."""
    suffixes = column_suffixes(devices(study) or [""]).values()
    of_devices = [f"{name}{suffix}" for suffix in suffixes for name in (*LATENCY_COLUMNS, *OF_DEVICES)]
    scores = [name for name in map(str, study.trials) if _is_score(name)]
    qualities = ["quality", "quality_error", "quality_std"]
    names = [*qualities, *of_devices, *_LIKE_TIME, *COSTS, *scores, "train_seconds", "score_seconds", "seconds"]
    return [name for name in dict.fromkeys(names) if name in study.trials]


def _is_score(column: str) -> bool:
    found = find_column(column)
    return found is not None and not found.measure.is_cost


def is_plain(column: pd.Series) -> bool:
    """Whether a table may leave the column out: nothing is known, or every latency was measured, or none is noisy."""
    return set(column.dropna()) in (set(), {"measured"}, {False})


def scored(study: StudyTable, cost: str | None = None) -> pd.DataFrame:
    """Complete trials with a quality and a cost (the charted one), the quality under one label only."""
    trials = study.trials
    complete = trials[
        (_column(trials, "status") == "complete")
        & _column(trials, "quality").notna()
        & _column(trials, cost or charted_cost(study)).notna()
    ]
    labels = _column(complete, "fid_label")
    if not study.quality_label.startswith("fid") or labels.nunique() < 2:
        return complete
    comparable = study.quality_label if (labels == study.quality_label).any() else labels.value_counts().index[0]
    return complete[labels == comparable]


def feasible(rows: pd.DataFrame, limits: Mapping[str, float]) -> pd.Series:
    """Whether each row keeps every hard limit; what was not measured breaks none."""
    within = pd.Series(True, index=rows.index)
    for name, limit in limits.items():
        if name in rows:
            within &= ~pd.to_numeric(rows[name]).map(lambda value, name=name, limit=limit: breaks(name, value, limit))
    return within


def baseline_row(study: StudyTable) -> dict[str, Any]:
    """The baseline, with the measurements of a trial that happens to be it where its own are missing."""
    row = {key: value for key, value in study.baseline.items() if is_known(value)}
    rows = scored(study)
    same = rows if study.knobs else rows[:0]
    for knob in study.knobs:
        same = same[_column(same, knob).map(text) == text(study.baseline.get(knob))]
    if "architecture" in row:
        same = rows[rows.index.isin(same.index) | (_column(rows, "architecture") == row["architecture"])]
    for _, trial in same.head(1).iterrows():
        row |= {key: trial[key] for key in measurements(study) if key not in row and is_known(trial[key])}
    return row


def front_trials(study: StudyTable) -> set[int]:
    """Numbers of the trials on the front."""
    return {int(number) for number in study.front["trial"]} if len(study.front) else set()


def is_known(value: Any) -> bool:
    """Whether there is a value: neither None nor NaN."""
    return value is not None and not (pd.api.types.is_scalar(value) and pd.isna(value))


def text(value: Any) -> str:
    """A cell as a person reads it: four significant digits; empty where nothing was measured."""
    if not is_known(value):
        return ""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if not isinstance(value, (int, float, np.integer, np.floating)):
        return str(value)
    number = float(value)
    return f"{number:.0f}" if number.is_integer() or abs(number) >= 1000 else f"{number:.4g}"


def _column(rows: pd.DataFrame, name: str) -> pd.Series:
    return rows[name] if name in rows else pd.Series(index=rows.index, dtype=object)
