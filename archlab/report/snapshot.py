"""A study as it is while a report is made: read once, and what follows from it worked out once."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import pandas as pd

from archlab.analysis.table import StudyTable
from archlab.architecture import UNetSpec
from archlab.evaluation import Confirmation, ProxyResult, Record
from archlab.latency.measurement import Measurement
from archlab.proxy.settings import ProxySettings
from archlab.space import Design, SearchSpace

P = ParamSpec("P")
T = TypeVar("T")

_COLUMNS = ("trial", "status", "gate", "reason", "stopped_at", "architecture", "quality", "macs_g")


@dataclass(frozen=True)
class Snapshot:
    """A study as it is now.

    Attributes:
        known: what was worked out of it, see `once`.
    """

    name: str
    folder: Path
    records: Sequence[Record]
    trials: pd.DataFrame
    front: pd.DataFrame
    confirmation: Confirmation
    knobs: Sequence[str]
    objectives: Sequence[str]
    quality_label: str
    limits: Mapping[str, float]
    baseline: Mapping[str, Any]
    baseline_proxy: ProxyResult | None
    baseline_spec: UNetSpec
    measure: Sequence[Measurement]
    proxy: ProxySettings
    design: Design
    space: SearchSpace
    trials_wanted: int
    resolved: Mapping[str, Any]
    known: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)


def snapshot(study: StudyTable) -> StudyTable:
    """The study's attributes, each read once; a table without rows gets the columns that charts ask for."""
    if isinstance(study, Snapshot):
        return study
    read = {each.name: getattr(study, each.name) for each in fields(Snapshot) if each.init}
    columns = [*_COLUMNS, *read["knobs"], *read["objectives"]]
    missing = [name for name in dict.fromkeys(columns) if name not in read["trials"]]
    return Snapshot(**read | {"trials": read["trials"].reindex(columns=[*read["trials"], *missing])})


def once(compute: Callable[Concatenate[StudyTable, P], T]) -> Callable[Concatenate[StudyTable, P], T]:
    """Computed once of a snapshot for the same arguments; of any other study, which may go on, every time."""

    @wraps(compute)
    def known(study: StudyTable, /, *arguments: P.args, **named: P.kwargs) -> T:
        if not isinstance(study, Snapshot):
            return compute(study, *arguments, **named)
        key = (compute, *map(_hashable, arguments), *((name, _hashable(value)) for name, value in named.items()))
        if key not in study.known:
            study.known[key] = compute(study, *arguments, **named)
        found: T = study.known[key]
        return found

    return known


def _hashable(argument: Any) -> Hashable:
    return tuple(argument.items()) if isinstance(argument, Mapping) else argument
