"""What each value of each knob went with."""

import pandas as pd

from archlab.report.cards import Card, NotYetError, Picks
from archlab.report.labels import heading
from archlab.report.table import StudyTable, cost_column, estimated, scored, text

NOT_IN_EFFECT = "(not in effect)"


def knob_card(study: StudyTable, picks: Picks) -> Card:
    """The knob table with what it is not.

    Raises:
        NotYetError: no trial was trained, or there are no knobs.
    """
    if not study.knobs:
        raise NotYetError("The search space has no knobs.")
    if scored(study).empty:
        raise NotYetError("No trial has been trained to the end yet, so no knob has a price.")
    return Card(
        key="knobs",
        title="What each knob went with",
        sentence=(
            "Medians over all trained trials that had the value, and their difference to the trials with "
            "the baseline's value. This is a marginal summary of what the search happened to try, not a "
            "controlled ablation: other knobs differ too, and few trials mean little."
            f"{' Estimated latencies count like measured ones.' if estimated(study, cost_column(study)) else ''}"
        ),
        data=knob_table(study),
    )


def knob_table(study: StudyTable) -> pd.DataFrame:
    """One row a knob and value; differences (Δ) are medians minus the median of the baseline's value, empty
    where no trained trial has that value."""
    cost, trained = cost_column(study), scored(study)
    quality_heading, cost_heading = heading("quality", study), heading(cost, study)
    rows = []
    for knob in study.knobs:
        asked, had = study.trials[knob].map(_value), trained[knob].map(_value)
        groups = trained.groupby(had)[["quality", cost]]
        medians, best = groups.median(), groups.min()["quality"]
        base = _value(study.baseline.get(knob))
        for value in sorted(asked.unique(), key=_order):
            known = value in medians.index
            anchored = known and base in medians.index and value != base
            rows.append(
                {
                    "knob": knob,
                    "value": value,
                    "baseline": "baseline" if value == base else "",
                    "asked": int((asked == value).sum()),
                    "trained": int((had == value).sum()),
                    f"median {quality_heading}": medians.loc[value, "quality"] if known else None,
                    f"best {quality_heading}": best[value] if known else None,
                    f"median {cost_heading}": medians.loc[value, cost] if known else None,
                    f"Δ {quality_heading}": (
                        medians.loc[value, "quality"] - medians.loc[base, "quality"] if anchored else None
                    ),
                    f"Δ {cost_heading}": medians.loc[value, cost] - medians.loc[base, cost] if anchored else None,
                }
            )
    return pd.DataFrame(rows)


def _value(value: object) -> str:
    return text(value) or NOT_IN_EFFECT


def _order(value: str) -> tuple[int, float, str]:
    try:
        return 0, float(value), value
    except ValueError:
        return 1, 0.0, value
