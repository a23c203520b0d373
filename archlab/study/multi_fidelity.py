"""The strategy ``surrogate`` in a driver: trials are begun, paused at a rung, and resumed where that pays most."""

from dataclasses import replace

from archlab.evaluation import Evaluation
from archlab.study.definition import StudyDefinition
from archlab.study.evaluate import Stages
from archlab.study.finished import FinishedTrials
from archlab.study.open_trials import OpenTrials, OwnTrial
from archlab.study.paused import resume_until
from archlab.study.proposals import Proposal, Proposals
from archlab.study.store import Store
from archlab.study.surrogate import Gain, SurrogateSearch
from archlab.study.trainings import Trainings

LEAST_GAIN = 0.01  # of the hypervolume, expected of the best paused trial; less, and the study ends once all are begun


class MultiFidelity:
    """Says what a driver trains next.

    Attributes:
        has_ended: whether nothing is left that is worth its training, here and elsewhere.
        gain: by how much of itself the hypervolume was still expected to grow by the most promising candidate when that
            was too little; None where none was left.
        gain_an_hour: what a further hour was expected to bring when something was chosen last; None before its pace is
            known, and once no further architecture may be begun.
    """

    def __init__(
        self,
        definition: StudyDefinition,
        store: Store,
        proposals: Proposals,
        finished: FinishedTrials,
        open_trials: OpenTrials,
        stages: Stages,
    ) -> None:
        self.proposals, self.open = proposals, open_trials
        self.stop = definition.settings.search.stop
        self.trainings = Trainings(definition, store, finished, open_trials)
        self.search = SurrogateSearch(definition, store.optuna, proposals.limits, stages=stages)
        self.has_ended = False
        self.gain: float | None = None
        self.gain_an_hour: Gain | None = None

    def next(self, *, may_begin: bool, workers: int) -> Proposal | None:
        """What to train next, and how far; None where nothing is worth it as long as what is under way is not known.

        Args:
            may_begin: whether another architecture may be.
            workers: how many trials at once the driver evaluates.
        """
        begun, under_way = self.trainings.begun(), self.open.architectures()
        if may_begin and self.proposals.has_waiting():
            return self.proposals.asked(under_way)
        pace = self.trainings.pace.steps_an_hour(workers) if may_begin else None
        known = self.proposals.known(under_way)
        choice = self.search.choose(begun, known, may_begin=may_begin, steps_an_hour=pace)
        least = self.stop.gain if self.stop.gain is not None else 0.0 if may_begin else LEAST_GAIN
        if choice is None or (choice.gain is not None and choice.gain < least):
            self.has_ended = all(one.until is None for one in begun)
            self.gain = None if choice is None else choice.gain
            return None
        self.gain_an_hour = choice.gain_an_hour
        mine = self.open.own(choice.trial)
        if mine is None:
            return self.proposals.begin(choice.values, known, choice.until)
        mine.until = choice.until
        resume_until(mine.trial, choice.until)
        return Proposal(mine.trial, choice.values)


def ended(mine: OwnTrial) -> Evaluation:
    """What a paused trial is that is not resumed."""
    assert mine.paused is not None
    reason = f"stopped at {mine.paused.rung} steps: the search ended before it was worth more"
    return replace(mine.paused.evaluation, reason=reason)
