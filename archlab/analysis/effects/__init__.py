"""What changes do: effects of a plan's arms with confidence intervals, and the price list of knobs."""

import pandas as pd

from archlab.analysis.effects.arms import ArmResults, read_arm_results
from archlab.analysis.effects.effect import LEVEL, Effect, effects_table, sentence
from archlab.analysis.effects.factorial import factorial_effects
from archlab.analysis.effects.intervals import IntervalMethod
from archlab.analysis.effects.pairs import paired_effect
from archlab.analysis.effects.search import search_effects
from archlab.analysis.table import StudyTable
from archlab.errors import BadInput
from archlab.space import Design, Plan, SearchSpace, lay_out

__all__ = ["LEVEL", "change_effects", "effects", "is_ablation", "price_list", "sentence"]

_ABLATIONS = ("ablate", "leave_one_out", "ladder", "factorial")


def is_ablation(study: StudyTable) -> bool:
    """Whether the study's trials are the arms of a plan whose effects can be told."""
    return study.design.strategy in _ABLATIONS


def effects(study: StudyTable, *, method: IntervalMethod = "t", level: float = LEVEL) -> pd.DataFrame:
    """What each change of an ablation does to quality and costs: one row an effect, see `effects_table`.

    Args:
        method: paired t, or a paired bootstrap (``percentile``, ``bca``). Of a factorial plan always least squares.

    Raises:
        BadInput: the study is a search, or its settings are damaged.
    """
    if not is_ablation(study):
        raise BadInput("effects: the study is a search and has no arms to compare; its price list has what can be told")
    return effects_table(_plan_effects(study, method), level)


def price_list(study: StudyTable, *, method: IntervalMethod = "t", level: float = LEVEL) -> pd.DataFrame:
    """What each knob value does to quality and costs against the baseline's: one row a value, see `effects_table`.

    From the arms of a plan where there is one, otherwise from the trials of the search; ``how`` says which. Δ columns
    are params in millions, MACs in billions, latencies in ms.

    Raises:
        BadInput: the settings of an ablation are damaged.
    """
    if is_ablation(study):
        found = [effect for effect in _plan_effects(study, method) if effect.knob]
    else:
        found = search_effects(study, method)
    return effects_table(found, level)


def change_effects(study: StudyTable) -> pd.DataFrame:
    """Of an ablation its effects, of a search its price list.

    Raises:
        BadInput: the study's settings are damaged.
    """
    return effects(study) if is_ablation(study) else price_list(study)


def plan_effects(
    space: SearchSpace, design: Design, plan: Plan, scores: ArmResults, method: IntervalMethod = "t"
) -> list[Effect]:
    """The effects that a plan tells: of a factorial one by least squares, else of every pair of arms."""
    if design.strategy == "factorial":
        return factorial_effects(space, design.change, plan.arms, scores)
    return [paired_effect(space, pair, scores, method) for pair in plan.contrasts]


def _plan_effects(study: StudyTable, method: IntervalMethod) -> list[Effect]:
    space, design = study.space, study.design
    plan = lay_out(space, design)
    scores = read_arm_results(study, {arm.name: space.spec(arm.values).id for arm in plan.arms})
    return plan_effects(space, design, plan, scores, method)
