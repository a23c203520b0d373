"""What the winner changed: the knee against the baseline, drawn."""

from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from archlab.analysis.table import StudyTable
from archlab.architecture import UNetSpec, load
from archlab.drawing import Subject, drawing_info, inline_svg, svg_parts
from archlab.errors import BadInput
from archlab.report.cards import Card, NotYetError, Picks
from archlab.space.settings import BaselineSettings

_MOST_DRAWINGS = 500  # 5 ms each


def winner_card(study: StudyTable, picks: Picks) -> Card:
    """The knee's architecture drawn over the baseline's.

    Raises:
        NotYetError: there is no knee, or one of the two architectures cannot be read.
    """
    if "knee" not in picks:
        raise NotYetError("The front is empty, so there is no winner to draw yet.")
    trial = picks["knee"]
    before, after = _architectures(study, trial)
    baseline = BaselineSettings.model_validate(study.resolved.get("baseline", "baseline"))
    info = drawing_info(Subject(f"trial {trial} (knee)", after), Subject(f"{baseline} (baseline)", before))
    if info.is_unchanged:
        sentence = f"Nothing: the knee of the front, trial {trial}, is the baseline itself."
    else:
        sentence = (
            f"Trial {trial}, the knee of the front, drawn over the baseline, both as the target is deployed: what was "
            "removed is hatched, what was added or changed is marked with + or ~."
        )
    return Card(key="winner", title="What the winner changed", sentence=sentence, drawing=inline_svg(info, "winner"))


class Drawings(NamedTuple):
    """Drawings that share their parts.

    Attributes:
        parts: of SVG elements.
        trials: by trial, which parts are its drawing, one after the other.
    """

    parts: list[str]
    trials: dict[int, list[int]]


def drawings(study: StudyTable, numbers: Iterable[int]) -> Drawings:
    """Each of these trials drawn over the baseline; what cannot be read is left out, and what is beyond
    `_MOST_DRAWINGS`."""
    places: dict[str, int] = {}
    trials: dict[int, list[int]] = {}
    for number in islice(numbers, _MOST_DRAWINGS):
        with suppress(NotYetError):
            before, after = _architectures(study, number)
            info = drawing_info(Subject(f"trial {number}", after), Subject("baseline", before))
            trials[number] = [places.setdefault(part, len(places)) for part in svg_parts(info, "trial")]
    return Drawings(list(places), trials)


def _architectures(study: StudyTable, trial: int) -> tuple[UNetSpec, UNetSpec]:
    """The baseline's and the trial's."""
    try:
        return study.baseline_spec, load(study.folder / "trials" / str(trial) / "architecture.yaml")
    except BadInput:
        raise NotYetError(f"The architecture of the baseline or of trial {trial} cannot be read.") from None
