"""Search spaces: a baseline, knobs, conditions and requirements; sampling, counting, and plans of arms. No torch."""

from archlab.space.domain import Domain
from archlab.space.knobs import KNOBS, Knob, label
from archlab.space.ladder import LadderStep, StepCost, ladder_costs, ladder_values
from archlab.space.load import load_space, read_space
from archlab.space.plans import Arm, ArmCost, Contrast, Design, Plan, arm_costs, lay_out
from archlab.space.space import SearchSpace
from archlab.space.survey import Survey, middling, survey

__all__ = [
    "KNOBS",
    "Arm",
    "ArmCost",
    "Contrast",
    "Design",
    "Domain",
    "Knob",
    "LadderStep",
    "Plan",
    "SearchSpace",
    "StepCost",
    "Survey",
    "arm_costs",
    "label",
    "ladder_costs",
    "ladder_values",
    "lay_out",
    "load_space",
    "middling",
    "read_space",
    "survey",
]
