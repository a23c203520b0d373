"""Every trial, as the page's table and side panel show it."""

import pandas as pd

from archlab.analysis.table import StudyTable
from archlab.report.cards import Card, NotYetError, Picks
from archlab.report.table import is_plain, measurements


def trials_card(study: StudyTable, picks: Picks) -> Card:
    """All trials with what became of them.

    Raises:
        NotYetError: there is none.
    """
    if study.trials.empty:
        raise NotYetError("No trial has finished yet.")
    return Card(
        key="trials",
        title="Every trial",
        sentence="Nothing is left out: what was over a limit, stopped at a rung or failed is here with its reason.",
        data=shown_trials(study),
    )


def shown_trials(study: StudyTable) -> pd.DataFrame:
    """The table without what is empty or goes without saying: kinds of latencies where all were measured, the
    validation loss where quality already is that."""
    table = trials_table(study)
    table = table[[name for name in table if not is_plain(table[name])]]
    return table.drop(columns="val_loss", errors="ignore") if study.quality_label == "val_loss" else table


def trials_table(study: StudyTable) -> pd.DataFrame:
    """All columns of the study's table in reading order, under their own names."""
    trials = study.trials
    first = [
        "trial",
        "status",
        "reason",
        "stopped_at",
        "on_front",
        *study.knobs,
        *measurements(study),
    ]
    kept = [name for name in [*first, "architecture", "fid_label", "finished"] if name in trials]
    return trials[kept + [name for name in trials if name not in kept]]
