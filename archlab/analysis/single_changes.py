"""What every single change of a space costs, known before anything is trained."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from archlab.architecture import UNetSpec
from archlab.cost import count
from archlab.errors import BadInput
from archlab.evaluation.record import Label
from archlab.latency.measurement import Measurement
from archlab.space import SearchSpace, label


class SingleChange(NamedTuple):
    """One knob value alone, on the baseline.

    Attributes:
        value: its label; the baseline's own is ``against``.
        costs: of the changed network, by column: exact params and MACs, latencies as tables estimate them. Empty where
            the baseline cannot have the value.
        baseline: of the baseline, by the same columns.
        missing: why costs are missing.
    """

    knob: str
    value: Label
    against: Label
    costs: Mapping[str, float]
    baseline: Mapping[str, float]
    missing: str = ""

    @property
    def changes(self) -> dict[str, float]:
        """After minus before."""
        return {name: value - self.baseline[name] for name, value in self.costs.items() if name in self.baseline}


def single_changes(space: SearchSpace, measured: Mapping[str, Measurement]) -> list[SingleChange]:
    """Every knob value that is not the baseline's, in the order of the space.

    Args:
        measured: where a study measures latency, by column; entries without a table are left out.
    """
    estimates = {column: _estimates(where) for column, where in measured.items() if where.table is not None}
    baseline, _ = _costs(space.baseline, estimates)
    found = []
    for knob, domain in space.knobs.items():
        against = space.baseline_values[knob]
        for value in domain.values:
            if label(value) == against:
                continue
            try:
                costs, missing = _costs(space.changed(knob, value), estimates)
            except BadInput as error:
                costs, missing = {}, str(error)
            found.append(SingleChange(knob, label(value), against, costs, baseline, missing))
    return found


def _costs(spec: UNetSpec, estimates: Mapping[str, Callable[[UNetSpec], float]]) -> tuple[dict[str, float], str]:
    """By column, and why one is missing."""
    cost = count(spec)
    found, missing = {"params_m": cost.params_m, "macs_g": cost.macs_g}, ""
    for column, estimated in estimates.items():
        try:
            found[column] = estimated(spec)
        except BadInput as error:
            missing = str(error)
    return found, missing


def _estimates(where: Measurement) -> Callable[[UNetSpec], float]:
    """Latency in ms by the entry's table."""
    from archlab.latency.table import estimate

    return lambda spec: estimate(spec, table=where.table, **where.how()).median_ms
