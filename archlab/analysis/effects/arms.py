"""What a study knows of the arms of its plan: quality by seed, costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from archlab.analysis.table import StudyTable, cost_columns
from archlab.errors import BadInput
from archlab.evaluation import Record


@dataclass(frozen=True, kw_only=True)
class ArmResult:
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
class ArmResults:
    """What is known of the arms of a plan.

    Attributes:
        of: by the arm's name.
        costs: the cost columns that the study's table has.
    """

    of: Mapping[str, ArmResult]
    costs: Sequence[str] = ()


def read_arm_results(study: StudyTable, architectures: Mapping[str, str]) -> ArmResults:
    """What the study knows of arms, each by name with its architecture's id."""
    known = {name: _score(study, architecture) for name, architecture in architectures.items()}
    return ArmResults(of=known, costs=cost_columns(study))


def _score(study: StudyTable, architecture: str) -> ArmResult:
    """Of the trial that was trained to the end, where there is one."""
    rows = study.trials[study.trials["architecture"] == architecture]
    if rows.empty:
        return ArmResult(missing="not evaluated yet")
    trained = rows[rows["status"] == "complete"]
    row = (rows if trained.empty else trained).iloc[0]
    costs = {name: float(row[name]) for name in cost_columns(study) if pd.notna(row[name])}
    if trained.empty:
        return ArmResult(costs=costs, missing=f"{row['status']}: {row['reason']}")
    try:
        record = Record.load(study.folder / "trials" / str(row["trial"]) / "evaluation.json")
    except BadInput as error:
        return ArmResult(costs=costs, missing=str(error))
    runs = record.evaluation.proxy.by_seed if record.evaluation.proxy else ()
    last = study.proxy.rungs[-1]
    return ArmResult(by_seed={run.seed: run.rungs[last] for run in runs} or {0: float(row["quality"])}, costs=costs)
