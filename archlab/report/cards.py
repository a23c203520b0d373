"""A report is a list of cards (the idea is Ax's analysis cards)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from archlab.analysis.table import StudyTable

Picks = Mapping[str, int]  # what a pick is called (knee, best, fastest, …) → the trial's number


@dataclass(frozen=True, kw_only=True)
class Card:
    """One finding.

    Attributes:
        key: the card's place on the page: ``front``, ``front_table``, ``picks``, ``winner``, ``effects``,
            ``untrained``, ``history``, ``trials``.
        sentence: what there is to see, in plain words.
        data: the numbers behind it, headed as people read them.
        figure: a plotly figure.
        drawing: an SVG element, safe as it is.
        missing: why it cannot be drawn yet; then there is neither data nor picture.
    """

    key: str
    title: str
    sentence: str
    data: pd.DataFrame | None = None
    figure: Any = None
    drawing: str | None = None
    missing: str | None = None


class NotYetError(Exception):
    """The study does not hold enough for this card; the message says what is missing."""


def draw(make: Callable[[StudyTable, Picks], Card], key: str, title: str, study: StudyTable, picks: Picks) -> Card:
    """The card, or one of the same title that says why it cannot be drawn yet."""
    try:
        return make(study, picks)
    except NotYetError as reason:
        return Card(key=key, title=title, sentence="", missing=str(reason))
