"""What a study knows of the arms of its plan: quality by seed, costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from archlab.errors import BadInput
from archlab.space.settings import column_suffixes
from archlab.study.record import Record


class Table(Protocol):
    """A study as far as effects need it; `archlab.study.Study` is one, and so is what a report reads."""

    @property
    def folder(self) -> Path: ...
    @property
    def trials(self) -> pd.DataFrame: ...
    @property
    def knobs(self) -> Sequence[str]: ...
    @property
    def baseline(self) -> Mapping[str, Any]: ...
    @property
    def settings(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, kw_only=True)
class Score:
    """One architecture in the table.

    Attributes:
        by_seed: quality of each training run.
        costs: what was measured of it, by column.
        missing: why there is no quality; empty where there is.
    """

    by_seed: Mapping[int, float] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)
    missing: str = ""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What is known of the arms of a plan.

    Attributes:
        of: by the arm's name.
        costs: the cost columns that the study's table has.
    """

    of: Mapping[str, Score]
    costs: Sequence[str] = ()


def cost_columns(study: Table) -> list[str]:
    """``params_m``, ``macs_g`` and a latency for each of the study's devices, as far as the table has them."""
    devices = [entry["name"] for entry in study.settings.get("measure") or []]
    names = ["params_m", "macs_g", *(f"latency_ms{suffix}" for suffix in column_suffixes(devices).values())]
    return [name for name in names if name in study.trials]


def read_scores(study: Table, architectures: Mapping[str, str]) -> Scores:
    """What the study knows of arms, each by name with its architecture's id."""
    known = {name: _score(study, architecture) for name, architecture in architectures.items()}
    return Scores(of=known, costs=cost_columns(study))


def _score(study: Table, architecture: str) -> Score:
    """Of the trial that was trained to the end, where there is one."""
    rows = study.trials[study.trials["architecture"] == architecture]
    if rows.empty:
        return Score(missing="not evaluated yet")
    trained = rows[rows["status"] == "complete"]
    row = (rows if trained.empty else trained).iloc[0]
    costs = {name: float(row[name]) for name in cost_columns(study) if pd.notna(row[name])}
    if trained.empty:
        return Score(costs=costs, missing=f"{row['status']}: {row['reason']}")
    try:
        record = Record.load(study.folder / "trials" / str(row["trial"]) / "evaluation.json")
    except BadInput as error:
        return Score(costs=costs, missing=str(error))
    runs = (record.evaluation.proxy or {}).get("by_seed") or ()
    last = str(study.settings["proxy"]["rungs"][-1])
    return Score(by_seed={run["seed"]: run["rungs"][last] for run in runs} or {0: float(row["quality"])}, costs=costs)
