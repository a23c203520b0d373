"""Which knobs matter, as the surrogate has it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from archlab.space import Domain, SearchSpace, label
from archlab.study.surrogate.candidates import Architecture
from archlab.study.surrogate.gaussian_process import Floats
from archlab.study.surrogate.outlook import Outlook


class KnobEffect(NamedTuple):
    """From a knob's best value to its worst, other knobs equal.

    Attributes:
        best, worst: labels of the values; lower quality is better.
        change: of quality in its own unit, at the middle of what is predicted.
        low, high: both ends of its interval.
    """

    knob: str
    best: str
    worst: str
    change: float
    low: float
    high: float


class _Column(NamedTuple):
    """Which of the architectures have a knob's value, [N]."""

    knob: str
    value: str
    cells: Floats


def knob_effects(space: SearchSpace, outlook: Outlook, level: float) -> list[KnobEffect]:
    """The greatest first.

    A main-effects fit to the qualities that are predicted at the last rung of all the architectures that are looked at.
    Its coefficients are linear in these, so that their distribution follows from the joint one in closed form.
    """
    architectures, model = outlook.architectures, outlook.quality
    mean, covariance = model.process.joint(model.inputs)
    columns = [column for name, domain in space.knobs.items() for column in _columns(name, domain, architectures)]
    design = np.column_stack([np.ones(len(architectures)), *(column.cells for column in columns)])
    fitted = np.linalg.pinv(design)[1:]
    effects, covariance = fitted @ mean, fitted @ covariance @ fitted.T
    middle, half = float(np.exp(np.median(mean))), float(ndtri((1 + level) / 2))
    found = []
    for name in space.knobs:
        own = [place for place, column in enumerate(columns) if column.knob == name]
        if len(own) < 2:
            continue
        best, worst = min(own, key=effects.__getitem__), max(own, key=effects.__getitem__)
        change = effects[worst] - effects[best]
        sd = float(np.sqrt(max(0.0, covariance[worst, worst] + covariance[best, best] - 2 * covariance[worst, best])))
        ends = [middle * float(np.expm1(change + way * sd)) for way in (0.0, -half, half)]
        found.append(KnobEffect(name, columns[best].value, columns[worst].value, *ends))
    return sorted(found, key=lambda effect: -effect.change)


def _columns(name: str, domain: Domain, architectures: Sequence[Architecture]) -> list[_Column]:
    """One for each value that occurs."""
    own = np.array([str(label(one.values[name])) if name in one.values else "" for one in architectures])
    columns = [_Column(name, shown, (own == shown).astype(float)) for shown in (str(label(v)) for v in domain.values)]
    return [column for column in columns if column.cells.any()]
