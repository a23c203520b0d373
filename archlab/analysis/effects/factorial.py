"""Effects of a factorial plan: main effects and two-way interactions by least squares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from archlab.analysis.effects.arms import ArmResults
from archlab.analysis.effects.effect import Effect
from archlab.analysis.effects.intervals import t_difference
from archlab.analysis.effects.pairs import ONE_SEED
from archlab.space import Arm, SearchSpace, label
from archlab.space.plans import full_change

_Column = npt.NDArray[np.float64]
_COST_DECIMALS = 9  # params are in millions, MACs in billions: whole ones are left


@dataclass(frozen=True)
class Term:
    """A main effect (one knob) or an interaction (two), with what the design cannot tell from it.

    Attributes:
        column: its level in every arm, -1 or 1.
    """

    knobs: tuple[str, ...]
    column: _Column
    aliases: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """``conv`` or ``conv × ff_ratio``"""
        return " × ".join(self.knobs)


def factorial_effects(
    space: SearchSpace, wanted: Mapping[str, Any], arms: Sequence[Arm], scores: ArmResults
) -> list[Effect]:
    """What each change does on average over the combinations of the others, and how much more than that it does where
    another is made.

    An effect is the mean where a term is high minus the mean where it is low (Box, Hunter and Hunter, ch. 5). Seeds are
    blocks. Interactions of three and more are taken to be nothing: what there is of them counts as noise.

    Args:
        wanted: what the design changes; see `archlab.space.plans.full_change`.
    """
    change = full_change(space, wanted)
    terms = factorial_terms([[name in _raised(space, arm) for name in change] for arm in arms], list(change))
    known = [scores.of[arm.name] for arm in arms]
    costs = {name: _cost_effects(terms, [own.costs.get(name) for own in known]) for name in scores.costs}
    rows = [(k, seed, value) for k, own in enumerate(known) for seed, value in own.by_seed.items()]
    fit = _fit(terms, rows)
    untrained = [arm.name for arm, own in zip(arms, known, strict=True) if own.missing]
    effects = []
    for index, term in enumerate(terms):
        knob = term.knobs[0] if len(term.knobs) == 1 else ""
        facts: dict[str, Any] = {
            "change": f"{knob} = {label(change[knob])}" if knob else term.name,
            "against": "baseline, on average" if knob else "average of each",
            "knob": knob,
            "value": str(label(change[knob])) if knob else "",
            "baseline": str(label(arms[0].values[knob])) if knob else "",
            "costs": {name: found[index] for name, found in costs.items()},
            "aliases": term.aliases,
        }
        effects.append(Effect(**facts, **_quality(fit, index, len(rows), untrained)))
    return effects


def factorial_terms(levels: Sequence[Sequence[bool]], knobs: Sequence[str]) -> list[Term]:
    """Main effects, then two-way interactions; what has the same column, or its opposite, is one term with aliases."""
    coded = np.where(np.asarray(levels, dtype=bool), 1.0, -1.0)
    columns: dict[tuple[str, ...], _Column] = {(name,): coded[:, k] for k, name in enumerate(knobs)}
    for (j, one), (k, two) in combinations(enumerate(knobs), 2):
        columns[one, two] = coded[:, j] * coded[:, k]
    terms: list[Term] = []
    for names, column in columns.items():
        own = Term(names, column)
        for place, term in enumerate(terms):
            sign = float(term.column @ column) / len(column)
            if abs(sign) == 1:
                shown = own.name if sign > 0 else f"−{own.name}"
                terms[place] = Term(term.knobs, term.column, (*term.aliases, shown))
                break
        else:
            terms.append(own)
    return terms


def _raised(space: SearchSpace, arm: Arm) -> set[str]:
    """Knobs that are not at the baseline's value."""
    return {name for name, value in arm.values.items() if label(value) != space.baseline_values[name]}


def _fit(terms: Sequence[Term], rows: Sequence[tuple[int, int, float]]) -> Any:
    """Least squares of quality on terms and seeds; None where the scored arms do not determine it."""
    from statsmodels.regression.linear_model import OLS

    seeds = sorted({seed for _, seed, _ in rows})
    design = np.array(
        [[*(term.column[arm] for term in terms), *(float(seed == own) for own in seeds)] for arm, seed, _ in rows]
    )
    if not rows or np.linalg.matrix_rank(design) < design.shape[1]:
        return None
    return OLS([value for _, _, value in rows], design).fit()


def _quality(fit: Any, index: int, scores: int, untrained: Sequence[str]) -> Mapping[str, Any]:
    if fit is None:
        names = f"{untrained[0]}{' and others' if len(untrained) > 1 else ''}" if untrained else "some"
        return {"missing": f"arms without a score ({names}) leave the effects undetermined"}
    freedom = int(fit.df_resid)
    estimate = t_difference(2 * fit.params[index], 2 * fit.bse[index] if freedom else np.nan, freedom)
    if not freedom:
        return {"quality": estimate, "how": "one seed", "missing": ONE_SEED, "n": scores}
    return {"quality": estimate, "how": f"least squares, {scores} scores", "n": scores}


def _cost_effects(terms: Sequence[Term], costs: Sequence[float | None]) -> list[float | None]:
    """The same contrasts of a cost; None where it is not known of enough arms."""
    known = [k for k, cost in enumerate(costs) if cost is not None]
    design = np.array([[1.0, *(term.column[k] for term in terms)] for k in known])
    if not known or np.linalg.matrix_rank(design) < design.shape[1]:
        return [None] * len(terms)
    solution = np.linalg.lstsq(design, np.array([costs[k] for k in known], dtype=float), rcond=None)[0]
    return [round(2 * float(value), _COST_DECIMALS) for value in solution[1:]]
