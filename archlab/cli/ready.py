"""What a new study needs before its first trial."""

from pathlib import Path

from archlab.cli.live import LiveDisplay
from archlab.space import survey
from archlab.study import StudyDefinition
from archlab.study.limits import cost_limits


def make_ready(definition: StudyDefinition, folder: Path, display: LiveDisplay) -> None:
    """Read and encode the data of a study that ``folder`` does not hold yet, and say what of it is left out.

    Raises:
        BadInput: no proxy could be trained or scored as the study has it.
    """
    from archlab.data.pairs import in_words
    from archlab.proxy.proxy import make_ready as make_proxies_ready

    if (folder / "study.yaml").is_file():
        return
    survey(definition.space, cost_limits(definition))  # refuses limits that nothing can meet
    with display.making_ready() as progress:
        data = make_proxies_ready(definition.space.baseline, definition.settings.proxy, progress).data
    if data.origin.left_out:
        display.notice(f"{data.name}: {len(data.captions):,} images; left out: {in_words(data.origin.left_out)}")
