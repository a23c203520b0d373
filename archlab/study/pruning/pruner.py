"""The pruner of a study; its decisions are kept with Optuna's trials, so that every driver sees them."""

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import fmean
from typing import Any

import optuna

from archlab.evaluation import Evaluation
from archlab.evaluation.measures import find_column, minimised
from archlab.study.file import StudyFile
from archlab.study.pruning.successive_halving import Standing, decide, pooled_noise


class Pruner:
    """Decides at every rung of a study whether a trial is promoted or pruned.

    It compares quality and what is known before any training; an objective that is scored at the end alone has no say.
    What a trial scored at a rung, and whether it was promoted, is a user attribute of its Optuna trial:
    ``rung:<steps>``. A trial that is resumed keeps its decisions.

    Attributes:
        noise: standard deviation of one seed's quality at each rung, where it was measured apart from the trials.
    """

    def __init__(self, study: optuna.Study, settings: StudyFile) -> None:
        self.study, self.settings = study, settings
        self.noise: Mapping[int, float] = {}
        self.objectives = _known_at_rungs(settings.objectives)

    def goes_on(self, trial: optuna.Trial, rung: int, qualities: Sequence[float], known: Evaluation) -> bool:
        """Whether the trial is promoted; where one of its objectives is not known it does, and nothing is kept."""
        name = f"rung:{rung}"
        trials = self.study.get_trials(deepcopy=False)
        seen: dict[int, dict[str, Any]] = {t.number: t.user_attrs[name] for t in trials if name in t.user_attrs}
        if trial.number in seen:
            return bool(seen[trial.number]["goes_on"])
        found = {name: known.value(name) for name in self.objectives} | {"quality": fmean(qualities)}
        point = minimised(found)
        if point is None:
            return True
        decision = decide(
            Standing(trial.number, point),
            [Standing(number, tuple(facts["point"])) for number, facts in seen.items()],
            reduction=self.settings.search.reduction,
            noise=self._noise(rung, [*(facts["qualities"] for facts in seen.values()), qualities]),
            quality=self.objectives.index("quality"),
        )
        facts = {"qualities": list(qualities), "point": point, "goes_on": decision.goes_on, "why": decision.why}
        trial.set_user_attr(name, facts)
        return decision.goes_on

    def reason(self, trial: optuna.Trial, rung: int) -> str:
        """Why the trial was stopped at the rung."""
        why = trial.user_attrs.get(f"rung:{rung}", {}).get("why", "")
        return f"stopped at {rung} steps{f': {why}' if why else ''}"

    def _noise(self, rung: int, qualities: Sequence[Sequence[float]]) -> float | None:
        """Standard deviation of a trial's quality, the mean over its seeds."""
        one_seed = self.settings.search.noise
        if one_seed is None:
            one_seed = self.noise.get(rung) if self.settings.proxy.seeds == 1 else pooled_noise(qualities)
        return None if one_seed is None else one_seed / sqrt(self.settings.proxy.seeds)


def _known_at_rungs(objectives: Sequence[str]) -> list[str]:
    found = {name: find_column(name) for name in objectives}
    return [n for n, column in found.items() if n == "quality" or (column and not column.measure.is_score)]
