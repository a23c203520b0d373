"""Which trial of the front to take, and why."""

import pandas as pd

from archlab.analysis.picks import picks as reasoned
from archlab.analysis.table import StudyTable
from archlab.report.cards import Card, NotYetError, Picks


def picks_card(study: StudyTable, picks: Picks) -> Card:
    """A row for each trial that is picked, with all that it is picked as and why.

    Raises:
        NotYetError: nothing was picked.
    """
    if not picks:
        raise NotYetError("The front is empty, so there is nothing to pick from yet.")
    known = reasoned(study.front, study.objectives, study.limits)
    whys = {(word, pick.trial): pick.why for word, pick in known.items()}
    words: dict[int, list[str]] = {}
    for word, trial in picks.items():
        words.setdefault(trial, []).append(word)
    rows = [
        {
            "pick": ", ".join(named),
            "trial": trial,
            "why": "; ".join(filter(None, (whys.get((word, trial)) for word in named))),
        }
        for trial, named in words.items()
    ]
    return Card(
        key="picks",
        title="Which one to take",
        sentence="Any of these names a trial in `archlab export NAME --pick …`, and so does a trial's number.",
        data=pd.DataFrame(rows),
    )
