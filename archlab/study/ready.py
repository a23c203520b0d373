"""What a new study needs before its first trial."""

from archlab.data.left_out import in_words
from archlab.progress import Progress, silent
from archlab.space import survey
from archlab.study.definition import StudyDefinition
from archlab.study.limits import cost_limits


def make_ready(definition: StudyDefinition, progress: Progress = silent) -> list[str]:
    """Read and encode the data of a new study, and train what scores its images.

    Returns:
        A line each about what of the data is left out, and about what is not scored for want of images.

    Raises:
        BadInput: no architecture of the space can meet the limits, or no proxy could be trained or scored as the study
            has it.
    """
    from archlab.proxy.evaluate import make_ready as make_proxies_ready

    survey(definition.space, cost_limits(definition))  # refuses limits that nothing can meet
    setup = make_proxies_ready(definition.space.baseline, definition.settings.proxy, progress)
    data, notices = setup.prepared.data, []
    if data.origin.left_out:
        notices.append(f"{data.name}: {len(data.captions):,} images; left out: {in_words(data.origin.left_out)}")
    if setup.scorer.too_few_images:
        reasons = ", ".join(f"{name} {missing}" for name, missing in setup.scorer.too_few_images.items())
        notices.append(f"{data.name}: not scored: {reasons}")
    return notices
