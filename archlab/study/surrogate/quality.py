"""Quality over architectures and rungs, given all that was seen of a search."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from archlab.study.surrogate.fits import Fits
from archlab.study.surrogate.gaussian_process import Floats, GaussianProcess, Inputs, Integers, together
from archlab.study.surrogate.history import Begun

_MOST_SEEN = 400  # qualities that the process is given; its time takes the cube of them


class Seen(NamedTuple):
    """Qualities, [N] of each; ``begun``: of which trial, by its place."""

    inputs: Inputs
    values: Floats
    begun: Integers


@dataclass(frozen=True, eq=False, kw_only=True)
class QualityModel:
    """The Gaussian process of a search's log quality.

    Attributes:
        rungs: in steps.
        groups: of features, see `GaussianProcess`.
        begun: trials whose training was begun.
        inputs: architectures at the last rung, those of ``begun`` first.
        lowest: place of the lowest rung that the process is given.
    """

    rungs: Sequence[int]
    groups: Integers
    fits: Fits
    begun: Sequence[Begun]
    inputs: Inputs
    lowest: int = 0

    @property
    def last(self) -> int:
        """The last rung's place."""
        return len(self.rungs) - 1

    @cached_property
    def shift(self) -> float:
        """Added to qualities, so that all have a logarithm; 0 unless one is not positive."""
        qualities = [quality for one in self.begun for quality in one.qualities.values()]
        least = min(qualities, default=1.0)
        return 0.0 if least > 0 else 0.1 * float(np.ptp(qualities)) + 1e-6 - least

    @cached_property
    def seen(self) -> Seen:
        """What the process is given: the qualities that came furthest."""
        seen = [
            (index, self.last - self.rungs.index(rung), np.log(quality + self.shift))
            for index, one in enumerate(self.begun)
            for rung, quality in one.qualities.items()
            if rung >= self.rungs[self.lowest]
        ]
        furthest = sorted(seen, key=lambda one: (one[1], -one[0]))[:_MOST_SEEN]
        begun = [index for index, _, _ in furthest]
        inputs = self._at(begun, [before for _, before, _ in furthest])
        return Seen(inputs, np.array([value for _, _, value in furthest]), np.array(begun, dtype=int))

    @cached_property
    def given_seen(self) -> GaussianProcess:
        """Given what was seen."""
        count = sum(rung >= self.rungs[self.lowest] for one in self.begun for rung in one.qualities)
        name = f"quality from rung {self.lowest}"
        given = self.fits.hyperparameters(name, self.groups, self.seen.inputs, self.seen.values, count)
        return GaussianProcess(given, self.groups, self.seen.inputs, self.seen.values)

    @cached_property
    def process(self) -> GaussianProcess:
        """Given what was seen, and what is under way as it is predicted, at the lowest rung or above."""
        pending = {index: one.until for index, one in enumerate(self.begun) if one.until is not None}
        if not pending:
            return self.given_seen
        before = [self.last - max(self.lowest, self.rungs.index(until)) for until in pending.values()]
        upcoming = self._at(list(pending), before)
        believed = np.append(self.seen.values, self.given_seen.predict(upcoming).mean)
        inputs = together([self.seen.inputs, upcoming])
        return GaussianProcess(self.given_seen.given, self.groups, inputs, believed)

    def _at(self, architectures: Sequence[int], before: Sequence[int]) -> Inputs:
        """Architectures by their place, at so many rungs before the last."""
        return self.inputs[np.array(architectures, dtype=int)].at(np.array(before, dtype=int))
