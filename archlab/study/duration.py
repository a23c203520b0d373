"""How long a study will take, before anything is run."""

from archlab.study.definition import StudyDefinition


def training_hours(definition: StudyDefinition, median_macs_g: float) -> float:
    """An estimate of the hours of one worker on this computer, if every trial is trained to the last rung.

    A few steps of the baseline's proxy are timed, and scaled by the ratio of the space's median MACs to the baseline's.
    Measuring and scoring are not in it.

    Args:
        median_macs_g: of the space's architectures, in billions a step.

    Raises:
        BadInput: with these settings no proxy can be trained.
    """
    from archlab.cost import count
    from archlab.proxy.timing import seconds_per_step

    settings, space = definition.settings, definition.space
    share = median_macs_g / count(space.baseline).macs_g
    trials = len(definition.plan().arms) or settings.search.trials
    steps = (trials * share + 1) * settings.proxy.seeds * settings.proxy.rungs[-1]
    return steps * seconds_per_step(space.baseline, settings.proxy) / 3600
