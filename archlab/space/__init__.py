"""Search spaces: the YAML, its validation, knobs, conditions, sampling, counting. No torch."""

from archlab.space.domain import Domain
from archlab.space.knobs import KNOBS, Knob, label
from archlab.space.ladder import StepCost, ladder_costs
from archlab.space.load import load_space
from archlab.space.plans import Arm, ArmCost, arm_costs, lay_out, plan
from archlab.space.space import SearchSpace
from archlab.space.survey import Survey, survey

__all__ = [
    "KNOBS",
    "Arm",
    "ArmCost",
    "Domain",
    "Knob",
    "SearchSpace",
    "StepCost",
    "Survey",
    "arm_costs",
    "label",
    "ladder_costs",
    "lay_out",
    "load_space",
    "plan",
    "survey",
]
