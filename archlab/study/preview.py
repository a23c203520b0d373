"""What can be said of a study before anything of it is run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from archlab.analysis.single_changes import SingleChange, single_changes
from archlab.errors import BadInput, RunFailed
from archlab.evaluation.measures import COSTS
from archlab.latency.measurement import Measurement
from archlab.progress import Progress, silent
from archlab.space import ArmCost, StepCost, Survey, arm_costs, label, ladder_costs, survey
from archlab.space.plans import Dropped
from archlab.study.definition import StudyDefinition
from archlab.study.duration import Duration, estimated_duration
from archlab.study.limits import cost_limits
from archlab.study.settings import Share


@dataclass(frozen=True)
class Preview:
    """A study that is defined and not run.

    Attributes:
        survey: of its space, whose limits on costs can be met.
        duration: what it takes on this computer; None where that was not asked for, or cannot be told.
        no_duration: why it cannot be told.
    """

    definition: StudyDefinition
    survey: Survey
    duration: Duration | None = None
    no_duration: str = ""

    @property
    def name(self) -> str:
        """Of the space."""
        return self.definition.space.name

    @property
    def knobs(self) -> Sequence[str]:
        """Names, in the order of application."""
        return list(self.definition.space.knobs)

    @property
    def strategy(self) -> str:
        """Of the search, or the plan's."""
        return self.definition.settings.strategy

    @property
    def objectives(self) -> Sequence[str]:
        """Columns."""
        return self.definition.settings.objectives

    @property
    def devices(self) -> Mapping[str, Measurement]:
        """Where latency is measured, by column."""
        return self.definition.settings.latency_columns

    @property
    def later_limits(self) -> Mapping[str, float | Share]:
        """By column: those that no formula decides."""
        return {name: limit for name, limit in self.definition.settings.limits.items() if name not in COSTS}

    @property
    def arms(self) -> Sequence[ArmCost] | Sequence[StepCost]:
        """Of the plan with what they cost, those of a ladder each on top of those before; none for a search."""
        settings, space = self.definition.settings, self.definition.space
        if settings.ladder:
            return ladder_costs(space, settings.ladder)
        return arm_costs(space, self.definition.plan().arms)

    @property
    def dropped(self) -> Sequence[Dropped]:
        """Arms that the plan leaves out."""
        return self.definition.plan().dropped

    @cached_property
    def changes(self) -> Sequence[SingleChange]:
        """Every change alone, with what it costs."""
        return single_changes(self.definition.space, self.devices)

    @property
    def no_baseline(self) -> str:
        """Why no architecture of the space is the baseline; empty where one is."""
        space = self.definition.space
        if space.find_baseline() is not None:
            return ""
        own = space.baseline_values.items()
        outside = [name for name, value in own if value not in map(label, space.knobs[name].values)]
        return f"it has its own {', '.join(outside)}" if outside else "require excludes it"


def preview(definition: StudyDefinition, *, timed: bool = False, progress: Progress = silent) -> Preview:
    """Count the space, and say how long the study takes.

    Args:
        timed: whether to time a trial for that, for a few seconds.
        progress: hears of what is timed.

    Raises:
        BadInput: nothing meets the limits on costs.
    """
    found = survey(definition.space, cost_limits(definition))
    if not timed:
        return Preview(definition, found)
    try:
        return Preview(definition, found, estimated_duration(definition, found, progress))
    except (BadInput, RunFailed) as error:
        return Preview(definition, found, no_duration=str(error))
