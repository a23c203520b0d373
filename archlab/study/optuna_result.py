"""A finished trial as Optuna stores it: state, objectives, constraints."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from optuna.trial import TrialState

from archlab.evaluation import Record
from archlab.evaluation.measures import excess
from archlab.study.file import StudyFile


class OptunaResult(NamedTuple):
    """Optuna's view of a record.

    Attributes:
        values: the objectives, for a complete trial.
        constraints: by column, feasible at or below 0.
    """

    state: TrialState
    values: list[float] | None
    constraints: dict[str, float]


def optuna_result(record: Record, settings: StudyFile, limits: Mapping[str, float]) -> OptunaResult:
    """The state, objectives and constraints of a trial; gated and stopped ones are pruned."""
    known = {name: record.evaluation.value(name) for name in [*settings.objectives, *limits]}
    constraints = {
        name: excess(name, value, limit) for name, limit in limits.items() if (value := known[name]) is not None
    }
    if record.evaluation.gate == "require":
        constraints["require"] = 1.0
    values: list[Any] = [known[name] for name in settings.objectives]
    if record.evaluation.status == "failed":
        return OptunaResult(TrialState.FAIL, None, constraints)
    if record.evaluation.gate or record.evaluation.status == "stopped" or None in values:
        return OptunaResult(TrialState.PRUNED, None, constraints)
    return OptunaResult(TrialState.COMPLETE, values, constraints)
