"""What a new study needs before its first trial."""

from pathlib import Path

from archlab.cli.live import LiveDisplay
from archlab.space import SearchSpace, survey


def make_ready(space: SearchSpace, folder: Path, display: LiveDisplay) -> None:
    """Read and encode the data of a study that ``folder`` does not hold yet, and say what of it is left out.

    Raises:
        BadInput: no proxy could be trained or scored as the space has it.
    """
    from archlab import proxy
    from archlab.data.pairs import in_words

    if (folder / "study.yaml").is_file():
        return
    survey(space)  # refuses limits that nothing can meet
    with display.making_ready() as progress:
        data = proxy.make_ready(space.baseline, space.settings.proxy, progress).data
    if data.origin.left_out:
        display.notice(f"{data.name}: {len(data.captions):,} images; left out: {in_words(data.origin.left_out)}")
