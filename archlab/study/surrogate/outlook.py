"""What a search knows and expects: of every architecture that it may train, its costs and its quality.

Costs are known before any training, by formulas, measurements and block latency tables, so that quality alone is
uncertain; what nothing tells yet is predicted.
What other workers are at counts as if it came out as predicted (Kriging believer, Ginsbourger et al. 2010,
doi:10.1007/978-3-642-10701-6_6).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import moocore
import numpy as np

from archlab.study.surrogate.candidates import Architecture, inputs_of
from archlab.study.surrogate.costs import Costs, costs_of
from archlab.study.surrogate.estimates import Estimates
from archlab.study.surrogate.fits import Fits
from archlab.study.surrogate.gaussian_process import Floats, Integers, Posterior
from archlab.study.surrogate.history import Begun
from archlab.study.surrogate.improvement import Front, expected_improvement
from archlab.study.surrogate.quality import QualityModel

MISLED = 0.25  # how likely it is taken to be that lower rungs say nothing


@dataclass(frozen=True, eq=False, kw_only=True)
class Outlook:
    """Of paused trials and new architectures, which are what may be trained.

    Attributes:
        rungs: in steps.
        objectives: besides quality.
        limits: hard limits by column.
        groups: of features, see `GaussianProcess`.
        begun, begun_as: trials whose training was begun, and their architectures.
        new: architectures that may be begun.
        estimates: what tables tell of those that were not measured.
        trend: by how many standard deviations each of all architectures is expected to be worse than others before any
            is trained, [N]; None: what costs less is.
    """

    rungs: Sequence[int]
    objectives: Sequence[str]
    limits: Mapping[str, float]
    groups: Integers
    fits: Fits
    begun: Sequence[Begun]
    begun_as: Sequence[Architecture]
    new: Sequence[Architecture]
    estimates: Estimates
    trend: Floats | None = None

    @cached_property
    def paused(self) -> list[int]:
        """Trials that may be gone on with, by their place."""
        return [index for index, one in enumerate(self.begun) if one.is_resumable]

    @cached_property
    def architectures(self) -> Sequence[Architecture]:
        """What was begun, then what may be."""
        return [*self.begun_as, *self.new]

    @cached_property
    def candidates(self) -> Integers:
        """Places among all architectures of the paused, then of the new ones."""
        return np.array([*self.paused, *range(len(self.begun), len(self.architectures))], dtype=int)

    @cached_property
    def upcoming(self) -> Integers:
        """The place of every candidate's next rung."""
        return np.array([len(self.begun[index].qualities) for index in self.paused] + [0] * len(self.new), dtype=int)

    @cached_property
    def quality(self) -> QualityModel:
        """The model of quality, of all architectures."""
        inputs = inputs_of(self.architectures)
        inputs = inputs if self.trend is None else replace(inputs, trend=self.trend)
        return QualityModel(rungs=self.rungs, groups=self.groups, fits=self.fits, begun=self.begun, inputs=inputs)

    @cached_property
    def quality_at_the_end(self) -> QualityModel:
        """The model that is given the last rung alone, for whom lower rungs say nothing."""
        return replace(self.quality, lowest=self.quality.last) if self.quality.last else self.quality

    @cached_property
    def costs(self) -> Costs:
        """Of all architectures."""
        measured = [*(one.known for one in self.begun), *[None] * len(self.new)]
        both = zip(measured, self.architectures, strict=True)
        known = [own if own is not None else self.estimates.of(one) for own, one in both]
        return costs_of(self.architectures, known, self.objectives, self.limits, self.groups, self.fits)

    @cached_property
    def front(self) -> Front:
        """Of what was trained to the end, or is believed to be; qualities are shifted, see `QualityModel`.

        Its reference is the worst that is known or expected.
        """
        model = self.quality
        expected, costs = np.exp(model.process.predict(model.inputs).mean), self.costs.scenarios.mean(axis=0)
        quality = {index: float(expected[index]) for index, one in enumerate(self.begun) if one.until == self.rungs[-1]}
        for index, one in enumerate(self.begun):
            if one.known is not None and one.known.status == "complete" and self.rungs[-1] in one.qualities:
                quality[index] = one.qualities[self.rungs[-1]] + model.shift
        expected[list(quality)] = list(quality.values())
        reference = np.array([expected.max(), *costs.max(axis=0)])
        return Front(np.array(list(quality.values())), costs[np.array(list(quality), dtype=int)], reference)

    @cached_property
    def hypervolume(self) -> float:
        """Of the front."""
        return self.hypervolume_with(np.empty(0), np.empty((0, len(self.objectives))))

    def hypervolume_with(self, quality: Floats, costs: Floats) -> float:
        """Of the front with further points: shifted quality [M] and costs [M, K]."""
        front = self.front
        points = np.column_stack([np.append(front.quality, quality), np.vstack([front.costs, costs])])
        return float(moocore.hypervolume(points, ref=front.reference)) if len(points) else 0.0

    @cached_property
    def end(self) -> Posterior:
        """Log quality of every candidate at the last rung."""
        return self.quality.process.predict(self.quality.inputs[self.candidates])

    @cached_property
    def gains(self) -> Floats:
        """Expected improvement of hypervolume by each candidate's training to the end, [N]; of both models together."""
        return mixed(self._gains(self.end), self.gains_at_the_end)

    @cached_property
    def gains_at_the_end(self) -> Floats:
        """Likewise, by the model that is given the last rung alone."""
        model = self.quality_at_the_end
        return self._gains(model.process.predict(model.inputs[self.candidates]))

    def _gains(self, end: Posterior) -> Floats:
        return self.improvement(end.mean[:, None], end.sd[:, None])[:, 0]

    def improvement(self, mean: Floats, sd: Floats) -> Floats:
        """Expected of hypervolume, by each candidate [N, L], where limits are met; of log quality at the end."""
        scenarios = self.costs.scenarios[:, self.candidates]
        found = np.mean([expected_improvement(mean, sd, costs, self.front) for costs in scenarios], axis=0)
        return np.asarray(found * self.costs.is_met[self.candidates][:, None])


def mixed(by_rungs: Floats, at_the_end: Floats) -> Floats:
    """What is expected by the model that is given all rungs, and by the one that is given the last alone."""
    return np.asarray((1 - MISLED) * by_rungs + MISLED * at_the_end)
