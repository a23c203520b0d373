"""How long a study will take, before anything is run."""

from archlab.space import survey
from archlab.study.definition import StudyDefinition
from archlab.study.limits import cost_limits


def training_hours(definition: StudyDefinition) -> float:
    """An estimate of the hours of one worker on this computer, if every trial is trained to the last rung.

    A few steps of the baseline's proxy are timed, and scaled by the ratio of the space's median MACs to the baseline's.
    Measuring and scoring are not in it.

    Raises:
        BadInput: with these settings no proxy can be trained.
    """
    from archlab.cost import count
    from archlab.proxy.timing import seconds_per_step

    settings, space = definition.settings, definition.space
    found = survey(space, cost_limits(definition))
    share = found.macs_g.middle / count(space.baseline).macs_g
    trials = len(definition.plan().arms) or settings.search.trials
    steps = (trials * share + 1) * settings.proxy.seeds * settings.proxy.rungs[-1]
    return steps * seconds_per_step(space.baseline, settings.proxy) / 3600
