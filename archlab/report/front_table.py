"""The front, row by row."""

import pandas as pd

from archlab.analysis.noise import equals
from archlab.analysis.table import StudyTable
from archlab.evaluation.measures import find_column
from archlab.report.cards import Card, NotYetError, Picks
from archlab.report.front import front_info
from archlab.report.labels import heading
from archlab.report.table import baseline_row, charted_cost, front_trials, is_plain, measurements


def front_table_card(study: StudyTable, picks: Picks) -> Card:
    """Every architecture of the front with its numbers and knobs.

    Raises:
        NotYetError: the front is empty.
    """
    table = front_table(study, picks)
    if table.empty:
        raise NotYetError("The front is empty: no trial within the limits has been trained to the end yet.")
    return Card(
        key="front_table",
        title="The front, row by row",
        sentence="From cheap to good. Click a row to see the trial.",
        data=table,
    )


def front_table(study: StudyTable, picks: Picks | None = None) -> pd.DataFrame:
    """Columns: trial, pick, quality, charted cost, the same against the baseline, which trials cost the same within the
    noise of measuring, what else was measured, the knobs; headed as people read them, rows by rising cost."""
    cost = charted_cost(study)
    rows = study.trials[study.trials["trial"].isin(front_trials(study))].sort_values(cost)
    marks = front_info(study, picks).picks
    table = pd.DataFrame({"trial": rows["trial"].astype(int)})
    table["pick"] = [marks.get(number, "") for number in table["trial"]]
    table[heading("quality", study)] = rows["quality"]
    table[heading(cost, study)] = rows[cost]
    baseline = baseline_row(study).get(cost)
    if baseline:
        table["vs baseline (%)"] = (100 * (pd.to_numeric(rows[cost]) / float(baseline) - 1)).round(1)
    same = {number: equals(rows, cost, number) for number in table["trial"]}
    if any(same.values()):
        table["not told apart from"] = [", ".join(map(str, same[number])) for number in table["trial"]]
    for name in measurements(study):
        if _is_chief(name, study) and not is_plain(rows[name]) and heading(name, study) not in table:
            table[heading(name, study)] = rows[name]
    for knob in study.knobs:
        table[knob] = rows[knob]
    return table.reset_index(drop=True)


def _is_chief(name: str, study: StudyTable) -> bool:
    """Whether the front's table has the column: not the scores of a part of the noise, at other numbers of steps or
    before training, unless they are objectives; nor how long it took."""
    found = find_column(name)
    if found is None:
        return not name.endswith("seconds")
    is_whole = found.measure.is_score and found.steps is None and found.quarter is None
    return found.measure.is_cost or is_whole or name in study.objectives
