"""Which trials go on at a rung, remembered with Optuna's trials so that every driver sees it."""

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import fmean
from typing import Any

import optuna

from archlab.space.settings import SpaceFile
from archlab.study.record import Evaluation
from archlab.study.rungs import Standing, judge, pooled_noise


class Verdicts:
    """The judge of a study's rungs.

    What a trial scored at a rung, and whether it went on, is a user attribute of its Optuna trial: ``rung:<steps>``. A
    trial that is taken up again keeps its verdicts.

    Attributes:
        noise: standard deviation of one seed's quality at each rung, where it was measured apart from the trials.
    """

    def __init__(self, study: optuna.Study, settings: SpaceFile) -> None:
        self.study, self.settings = study, settings
        self.noise: Mapping[int, float] = {}
        self.quality = settings.objectives.index("quality")

    def judge(self, trial: optuna.Trial, rung: int, qualities: Sequence[float], known: Evaluation) -> bool:
        """Whether the trial goes on; where one of its objectives is not known it does, without a verdict."""
        name = f"rung:{rung}"
        trials = self.study.get_trials(deepcopy=False)
        seen: dict[int, dict[str, Any]] = {t.number: t.user_attrs[name] for t in trials if name in t.user_attrs}
        if trial.number in seen:
            return bool(seen[trial.number]["goes_on"])
        cells = known.cells() | {"quality": fmean(qualities)}
        found = [cells.get(objective) for objective in self.settings.objectives]
        point = tuple(value for value in found if value is not None)
        if len(point) < len(found):
            return True
        verdict = judge(
            Standing(trial.number, point),
            [Standing(number, tuple(facts["point"])) for number, facts in seen.items()],
            reduction=self.settings.search.reduction,
            noise=self._noise(rung, [*(facts["qualities"] for facts in seen.values()), qualities]),
            quality=self.quality,
        )
        facts = {"qualities": list(qualities), "point": point, "goes_on": verdict.goes_on, "why": verdict.why}
        trial.set_user_attr(name, facts)
        return verdict.goes_on

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
