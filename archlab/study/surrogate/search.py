"""Which architecture to train next, and how far: a multi-fidelity search by expected hypervolume improvement."""

import random
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace

from archlab.evaluation.measures import COSTS, find_column
from archlab.study.definition import StudyDefinition
from archlab.study.evaluate import STAGES, Stages
from archlab.study.surrogate.candidates import Architecture, Candidates
from archlab.study.surrogate.decision import decide
from archlab.study.surrogate.estimates import Estimates
from archlab.study.surrogate.fits import Attributes, Fits
from archlab.study.surrogate.forecast import forecast
from archlab.study.surrogate.history import Begun, Choice
from archlab.study.surrogate.outlook import Outlook
from archlab.study.surrogate.untrained import UntrainedScores

_MOST_SEEN = 300  # trials that the surrogate is given
_MOST_OPTIONS = 200  # paused trials that are considered
_IGNORES_RUNGS_EVERY = 20  # qualities that are seen
_NEAR = 12  # trials, trained to the end last, whose neighbours are considered


class SurrogateSearch:
    """The strategy of a study. What it chooses follows from what it is told, its last fit and its scores alone.

    The first architecture is trained to the end. From then on, whatever is worth most a step, a new architecture or a
    paused one, is trained to its next rung, and it is decided anew. What is begun has been scored before: by that
    score, too, it is worth most.

    Args:
        study: holds the hyperparameters of the last fit and the scores, so that a resumed study goes on with them.
        limits: resolved hard limits by column.
        stages: how a table tells a latency, and random weights a score.
    """

    def __init__(
        self,
        definition: StudyDefinition,
        study: Attributes,
        limits: Mapping[str, float],
        *,
        stages: Stages = STAGES,
    ) -> None:
        settings = definition.settings
        self.rungs, self.limits = settings.proxy.rungs, limits
        self.objectives = [name for name in settings.objectives if name != "quality"]
        self.candidates, self.fits = Candidates(definition.space, settings.search.seed), Fits(study)
        self.estimates = Estimates(definition.space, settings.measure, stages.estimate)
        self.scores = UntrainedScores(
            study,
            self.candidates,
            lambda one: stages.score(definition.space.spec(one.values), settings.proxy),
        )

    def choose(
        self,
        begun: Sequence[Begun],
        known: Container[str],
        *,
        may_begin: bool,
        steps_an_hour: float | None = None,
    ) -> Choice | None:
        """What to train next, and how far; None where nothing is left.

        Args:
            begun: every trial whose training was begun, of one architecture each, in their order.
            known: content hashes of what is not to be begun.
            may_begin: whether anything is.
            steps_an_hour: how fast the study trains; None where nobody asks what an hour is expected to bring.
        """
        seen = sum(len(one.qualities) for one in begun)
        draw = len(begun) + seen
        begun = self._relevant(begun, draw)
        limits = {name: self.limits[name] for name in COSTS if name in self.limits}
        near = [one.values for one in begun if self.rungs[-1] in one.qualities][-_NEAR:]
        new = self.candidates.unseen(known, near, limits, draw) if may_begin else []
        options = [index for index, one in enumerate(begun) if one.is_resumable]
        if not options and not new:
            return None
        if not any(one.until == self.rungs[-1] or self.rungs[-1] in one.qualities for one in begun):
            return self._first(begun, options, new)
        begun_as = [self.candidates.describe(one.values) for one in begun]
        self.scores.work_out(begun_as)
        while True:
            outlook = self._outlook(begun, begun_as, new)
            choice = decide(outlook, ignores_rungs=seen > 0 and seen % _IGNORES_RUNGS_EVERY == 0)
            if not self.scores.work_out([self.candidates.describe(choice.values)]):
                hour = None if steps_an_hour is None else forecast(outlook, steps_an_hour)
                return replace(choice, gain_an_hour=hour)

    def _outlook(
        self, begun: Sequence[Begun], begun_as: Sequence[Architecture], new: Sequence[Architecture]
    ) -> Outlook:
        return Outlook(
            rungs=self.rungs,
            objectives=self.objectives,
            limits={name: limit for name, limit in self.limits.items() if not _is_score(name)},
            groups=self.candidates.groups,
            fits=self.fits,
            begun=begun,
            begun_as=begun_as,
            new=new,
            estimates=self.estimates,
            trend=self.scores.trend([*begun_as, *new]),
        )

    def _first(self, begun: Sequence[Begun], options: Sequence[int], new: Sequence[Architecture]) -> Choice:
        """Something to the end: a paused trial, or an architecture of middling cost."""
        if options:
            return Choice(trial=begun[options[0]].trial, values=begun[options[0]].values, until=self.rungs[-1])
        middling = sorted(new, key=lambda one: one.cheapness)[len(new) // 2]
        return Choice(trial=None, values=middling.values, until=self.rungs[-1])

    def _relevant(self, begun: Sequence[Begun], draw: int) -> Sequence[Begun]:
        """Those that are under way, some that may be gone on with, and those that came furthest, the latest first."""
        if len(begun) <= _MOST_SEEN:
            return begun
        numbers = range(len(begun))
        options = [index for index in numbers if begun[index].is_resumable]
        chosen = {index for index in numbers if begun[index].until is not None}
        chosen |= set(random.Random(draw).sample(options, min(len(options), _MOST_OPTIONS)))
        furthest = sorted(numbers, key=lambda index: (max(begun[index].qualities, default=0), index), reverse=True)
        return [begun[index] for index in sorted(chosen | set(furthest[:_MOST_SEEN]))]


def _is_score(column: str) -> bool:
    found = find_column(column)
    return found is not None and found.measure.is_score
