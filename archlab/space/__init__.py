"""Search spaces: the YAML, its validation, knobs, conditions, sampling, counting. No torch."""

from archlab.space.domain import Domain
from archlab.space.knobs import KNOBS, Knob, label
from archlab.space.ladder import StepCost, ladder_costs, ladder_plan
from archlab.space.load import load_space
from archlab.space.space import SearchSpace
from archlab.space.survey import Survey, survey

__all__ = [
    "KNOBS",
    "Domain",
    "Knob",
    "SearchSpace",
    "StepCost",
    "Survey",
    "label",
    "ladder_costs",
    "ladder_plan",
    "load_space",
    "survey",
]
