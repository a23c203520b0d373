"""One choice of a multi-fidelity search.

Costs are known before any training, by formulas, measurements and block latency tables, so that quality alone is
uncertain; what nothing tells yet is predicted.
What other workers are at counts as if it came out as predicted (Kriging believer, Ginsbourger et al. 2010,
doi:10.1007/978-3-642-10701-6_6).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import moocore
import numpy as np

from archlab.study.surrogate.candidates import Architecture, inputs_of
from archlab.study.surrogate.costs import Costs, costs_of
from archlab.study.surrogate.estimates import Estimates
from archlab.study.surrogate.fits import Fits
from archlab.study.surrogate.gaussian_process import Floats, GaussianProcess, Inputs, Integers, together
from archlab.study.surrogate.history import Begun, Choice
from archlab.study.surrogate.improvement import Front, expected_improvement
from archlab.study.surrogate.worth import worth_a_step

_MOST_SEEN = 400  # qualities that the process is given; its time takes the cube of them


@dataclass(frozen=True, eq=False, kw_only=True)
class Decision:
    """A choice among paused trials and new architectures.

    Attributes:
        rungs: in steps.
        objectives: besides quality.
        limits: hard limits by column.
        groups: of features, see `GaussianProcess`.
        begun, begun_as: trials whose training was begun, and their architectures.
        new: architectures that may be begun.
        estimates: what tables tell of those that were not measured.
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

    def choice(self) -> Choice:
        """What is worth most a step."""
        ends, starts = np.array(self.rungs, dtype=float), np.array([0.0, *self.rungs[:-1]])
        upcoming = np.array([len(self.begun[index].qualities) for index in self._options] + [0] * len(self.new))
        candidates, front = self._inputs[self._considered], self._front
        improvement = partial(self._improvement, front)
        worth = worth_a_step(
            self._process,
            candidates.at(self._last - upcoming),
            (ends - starts)[upcoming],
            ends[-1] - ends[upcoming],
            improvement,
        )
        best = int(np.argmax(worth))
        end = self._process.predict(candidates.at(0))
        gain = float(np.max(improvement(end.mean[:, None], end.sd[:, None])))
        now = _hypervolume(front)
        return Choice(
            trial=self.begun[self._options[best]].trial if best < len(self._options) else None,
            values=self._architectures[self._considered[best]].values,
            until=self.rungs[upcoming[best]],
            gain=gain / now if now else None,
            gain_a_step=float(worth[best]) / now if now else None,
        )

    @property
    def _last(self) -> int:
        return len(self.rungs) - 1

    @cached_property
    def _options(self) -> list[int]:
        return [index for index, one in enumerate(self.begun) if one.may_go_on]

    @cached_property
    def _architectures(self) -> Sequence[Architecture]:
        """What was begun, then what may be."""
        return [*self.begun_as, *self.new]

    @cached_property
    def _considered(self) -> Integers:
        return np.array([*self._options, *range(len(self.begun), len(self._architectures))])

    @cached_property
    def _inputs(self) -> Inputs:
        return inputs_of(self._architectures)

    @cached_property
    def _costs(self) -> Costs:
        measured = [*(one.known for one in self.begun), *[None] * len(self.new)]
        both = zip(measured, self._architectures, strict=True)
        known = [own if own is not None else self.estimates.of(one) for own, one in both]
        return costs_of(self._architectures, known, self.objectives, self.limits, self.groups, self.fits)

    @cached_property
    def _shift(self) -> float:
        """Added to qualities, so that all have a logarithm; 0 unless one is not positive."""
        qualities = [quality for one in self.begun for quality in one.qualities.values()]
        least = min(qualities, default=1.0)
        return 0.0 if least > 0 else 0.1 * float(np.ptp(qualities)) + 1e-6 - least

    @cached_property
    def _process(self) -> GaussianProcess:
        """Given what was seen, and what is under way as it is predicted."""
        seen = [
            (index, self._last - self.rungs.index(rung), np.log(quality + self._shift))
            for index, one in enumerate(self.begun)
            for rung, quality in one.qualities.items()
        ]
        furthest = sorted(seen, key=lambda one: (one[1], -one[0]))[:_MOST_SEEN]
        inputs, values = self._at(furthest), np.array([value for _, _, value in furthest])
        given = self.fits.hyperparameters("quality", self.groups, inputs, values, len(seen))
        process = GaussianProcess(given, self.groups, inputs, values)
        pending = [
            (index, self._last - self.rungs.index(one.until), 0.0)
            for index, one in enumerate(self.begun)
            if one.until is not None
        ]
        if not pending:
            return process
        believed = np.append(values, process.predict(self._at(pending)).mean)
        return GaussianProcess(given, self.groups, together([inputs, self._at(pending)]), believed)

    def _at(self, places: Sequence[tuple[int, int, float]]) -> Inputs:
        """Architectures by their index, at so many rungs before the last."""
        index = np.array([index for index, _, _ in places], dtype=int)
        return self._inputs[index].at(np.array([rung for _, rung, _ in places], dtype=int))

    @cached_property
    def _front(self) -> Front:
        """Of what was trained to the end, or is believed to be.

        Its reference is the worst that is known or expected.
        """
        expected, costs = np.exp(self._process.predict(self._inputs.at(0)).mean), self._costs.scenarios.mean(axis=0)
        quality = {index: float(expected[index]) for index, one in enumerate(self.begun) if one.until == self.rungs[-1]}
        for index, one in enumerate(self.begun):
            if one.known is not None and one.known.status == "complete" and self.rungs[-1] in one.qualities:
                quality[index] = one.qualities[self.rungs[-1]] + self._shift
        expected[list(quality)] = list(quality.values())
        worst = float(expected.max())
        reference = np.array([worst, *costs.max(axis=0)])
        return Front(np.array(list(quality.values())), costs[np.array(list(quality), dtype=int)], reference)

    def _improvement(self, front: Front, mean: Floats, sd: Floats) -> Floats:
        """Expected, by each of what is considered [N, L], where limits are met."""
        scenarios = self._costs.scenarios[:, self._considered]
        found = np.mean([expected_improvement(mean, sd, costs, front) for costs in scenarios], axis=0)
        return np.asarray(found * self._costs.is_met[self._considered][:, None])


def _hypervolume(front: Front) -> float:
    if not len(front.quality):
        return 0.0
    return float(moocore.hypervolume(np.column_stack([front.quality, front.costs]), ref=front.reference))
