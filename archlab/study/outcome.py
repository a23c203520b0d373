"""What Optuna is told of a finished trial."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from optuna.trial import TrialState

from archlab.study.record import Record


class Outcome(NamedTuple):
    """Optuna's view of a record.

    Attributes:
        values: the objectives, for a complete trial.
        constraints: by column, feasible at or below 0.
    """

    state: TrialState
    values: list[float] | None
    constraints: dict[str, float]


def outcome(record: Record, objectives: Sequence[str], limits: Mapping[str, float]) -> Outcome:
    """The state, objectives and constraints of a trial; gated and stopped ones are pruned."""
    row = record.row()
    constraints = {name: row[name] / limit - 1 for name, limit in limits.items() if row.get(name) is not None}
    if record.evaluation.gate == "require":
        constraints["require"] = 1.0
    values: list[Any] = [row.get(name) for name in objectives]
    if record.evaluation.status == "failed":
        return Outcome(TrialState.FAIL, None, constraints)
    if record.evaluation.gate or record.evaluation.status == "stopped" or None in values:
        return Outcome(TrialState.PRUNED, None, constraints)
    return Outcome(TrialState.COMPLETE, values, constraints)
