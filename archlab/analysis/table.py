"""A study's table as whoever judges reads it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from archlab.architecture import UNetSpec
from archlab.evaluation import Confirmation, ProxyResult, Record
from archlab.evaluation.measures import COSTS, device_columns, direction, find_column
from archlab.latency.measurement import Measurement
from archlab.proxy.settings import ProxySettings
from archlab.space import Design, SearchSpace


class StudyTable(Protocol):
    """A study's evaluations and what they are of; `archlab.study.Study` is one.

    ``trials`` has one row a trial: trial, status (complete, gated, stopped, failed, repeat), gate, reason, stopped_at
    (optimiser steps), architecture, one column a knob, and the measures, NaN where there is none; `archlab.evaluation`
    says how columns are called; latencies are those that were measured side by side where they were, see
    ``confirmation``. ``front`` holds the rows of the Pareto front. ``baseline`` is row-like: knob values and what was
    measured of it; ``baseline_proxy`` is what its training came to, if it was trained. ``resolved`` has all settings as
    plain data, to be shown.
    """

    @property
    def name(self) -> str: ...
    @property
    def folder(self) -> Path: ...
    @property
    def records(self) -> Sequence[Record]: ...
    @property
    def trials(self) -> pd.DataFrame: ...
    @property
    def front(self) -> pd.DataFrame: ...
    @property
    def confirmation(self) -> Confirmation: ...
    @property
    def knobs(self) -> Sequence[str]: ...
    @property
    def objectives(self) -> Sequence[str]: ...
    @property
    def quality_label(self) -> str: ...
    @property
    def limits(self) -> Mapping[str, float]: ...
    @property
    def baseline(self) -> Mapping[str, Any]: ...
    @property
    def baseline_proxy(self) -> ProxyResult | None: ...
    @property
    def baseline_spec(self) -> UNetSpec: ...
    @property
    def measure(self) -> Sequence[Measurement]: ...
    @property
    def proxy(self) -> ProxySettings: ...
    @property
    def design(self) -> Design: ...
    @property
    def space(self) -> SearchSpace: ...
    @property
    def trials_wanted(self) -> int: ...
    @property
    def resolved(self) -> Mapping[str, Any]: ...


def devices(study: StudyTable) -> list[str]:
    """Names of the devices that the study measures on; the first one's columns bear the measures' own names."""
    return [entry.name for entry in study.measure]


def latency_columns(study: StudyTable) -> dict[str, str]:
    """Columns of latencies in ms, each with the name of its device; ``latency_ms`` without devices, too."""
    return device_columns("latency_ms", devices(study) or [""])


def cost_columns(study: StudyTable) -> list[str]:
    """``params_m``, ``macs_g``, a latency for each of the study's devices, and further costs among the objectives, as
    far as the table has them."""
    names = [*COSTS, *device_columns("latency_ms", devices(study)), *cost_objectives(study.objectives)]
    return [name for name in dict.fromkeys(names) if name in study.trials]


def cost_objectives(objectives: Sequence[str]) -> list[str]:
    """The objectives that quality is paid with."""
    found = {name: find_column(name) for name in objectives}
    return [name for name, column in found.items() if column is not None and column.measure.is_cost]


def minimised(table: pd.DataFrame, objectives: Sequence[str]) -> pd.DataFrame:
    """The columns of objectives as floats, every one turned so that lower is better."""
    signs = {name: 1.0 if direction(name) == "minimize" else -1.0 for name in objectives}
    return table[list(objectives)].astype(float) * pd.Series(signs)
