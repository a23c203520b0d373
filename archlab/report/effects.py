"""What each change does: the effects of an ablation, or a search's price list of knobs."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from archlab.analysis.effects import LEVEL, change_effects, is_ablation, price_list
from archlab.analysis.table import StudyTable, latency_columns
from archlab.errors import BadInput
from archlab.report.axes import draw_frame
from archlab.report.cards import Card, NotYetError, Picks
from archlab.report.labels import heading
from archlab.report.picture import DPI, Picture, write_picture
from archlab.report.snapshot import once
from archlab.report.style import FRONT, INK, MUTED, figure_layout
from archlab.report.table import estimated
from archlab.report.tables import write_tables

_ROW_PIXELS, _FRAME_PIXELS = 26, 90
_PERCENT = f"{100 * LEVEL:.4g} %"


def effects_card(study: StudyTable, picks: Picks) -> Card:
    """Every change with its effect on quality and costs, and the intervals drawn.

    Raises:
        NotYetError: no trial was trained, there are no knobs, or the study's settings cannot be read.
    """
    if not study.knobs:
        raise NotYetError("The search space has no knobs.")
    try:
        found = _changes(study)
    except BadInput as error:
        raise NotYetError(f"The effects cannot be estimated: {error}") from None
    return Card(
        key="effects",
        title="What each change does",
        sentence=sentence(found, study),
        data=shown_effects(found, study).drop(columns=["from", "to", "n"], errors="ignore"),  # the verdict has them
        figure=effects_figure(found, study) if found["low"].notna().any() else None,
    )


def prices(study: StudyTable) -> pd.DataFrame:
    """The price list as it is written to files: one row a knob value, headed as people read it."""
    try:
        return shown_effects(price_list(study) if is_ablation(study) else _changes(study), study)
    except BadInput:
        return pd.DataFrame()


def write_effects(study: StudyTable, folder: Path) -> None:
    """Of an ablation ``effects`` as ``.csv``, ``.md`` and ``.tex``, with what is reported elsewhere, and, where
    intervals are known, as ``.png`` and ``.svg``."""
    if not is_ablation(study):
        return
    try:
        found = _changes(study)
    except BadInput:
        return
    write_tables({"effects": shown_effects(found, study)}, folder)
    if found["low"].notna().any():
        write_picture(lambda: draw_effects(found, study), folder / "effects")


@once
def _changes(study: StudyTable) -> pd.DataFrame:
    return change_effects(study)


def sentence(found: pd.DataFrame, study: StudyTable) -> str:
    """How the numbers came about, and how many intervals there are."""
    parts = ["Each change against what it replaces, other things equal; a quality that falls is better."]
    if not is_ablation(study):
        parts.append(
            "Params and MACs, and latencies by a table, are those of the change alone on the baseline, and exact. For "
            "the rest this was a search and no experiment: a price is the mean over pairs of trials that differ in the "
            "knob alone, or, with fewer than three pairs, a coefficient in a main-effects fit over the trials in which "
            "the knob has an effect. The contexts are those that the search liked."
        )
        if (study.trials["status"] == "stopped").any():
            parts.append("Trials that a rung stopped are not among them: what does badly looks less bad than it is.")
    if aliased := int((found["aliases"] != "").sum()):
        parts.append(f"{aliased} effects carry others with them that this fraction cannot tell apart: their aliases.")
    if intervals := int(found["low"].notna().sum()):
        parts.append(
            f"{intervals} intervals at {_PERCENT} each: of so many about {(1 - LEVEL) * intervals:.2g} miss. A verdict "
            "says where an effect does not hold for all of them together (Bonferroni)."
        )
    elif found["quality_change"].notna().any():
        parts.append("Nothing has an interval: one seed cannot tell an effect from chance.")
    else:
        parts.append("No effect on quality can be told yet: the verdicts say why.")
    if any(estimated(study, column) for column in latency_columns(study)):
        parts.append("Estimated latencies count like measured ones.")
    return " ".join(parts)


def shown_effects(found: pd.DataFrame, study: StudyTable) -> pd.DataFrame:
    """The table without what is empty, headed as people read it."""
    names = {"change": "change", "against": "against"}
    for column in found:
        if match := re.fullmatch(r"(.*)_change", str(column)):
            names[str(column)] = f"Δ {heading(match.group(1), study)}"
    names |= {"low": "from", "high": "to", "n": "n", "aliases": "aliases", "verdict": "verdict"}
    table = pd.DataFrame({shown: found[name] for name, shown in names.items() if not _is_empty(found[name])})
    reported = {step.step: step.reported for step in study.design.ladder if step.reported}
    return table.assign(reported=table["change"].map(reported).fillna("")) if reported else table


def draw_effects(found: pd.DataFrame, study: StudyTable) -> Picture:
    """Effects on quality with their intervals, as far as known, as a picture, in the order of the table."""
    rows = found[found["quality_change"].notna()]
    figure = Picture(figsize=(9.0, 1.2 + 0.32 * len(rows)), dpi=DPI, layout="constrained", facecolor="white")
    axes = figure.subplots()
    draw_frame(axes, axes, study.name, f"Δ {heading('quality', study)} · left is better", "")
    places = range(len(rows))
    axes.hlines(places, rows["low_together"], rows["high_together"], color=MUTED, linewidth=1, label="all together")
    axes.hlines(places, rows["low"], rows["high"], color=FRONT, linewidth=3.5, label="each alone")
    axes.plot(rows["quality_change"], places, "o", color=FRONT, markersize=6)
    axes.axvline(0, color=INK, linewidth=1, linestyle=":")
    axes.set_yticks(places, rows["change"], color=INK)
    axes.invert_yaxis()
    if rows["low"].notna().any():
        axes.legend(title=f"{_PERCENT} intervals", loc="best", frameon=False, fontsize=8.5)
    return figure


def effects_figure(found: pd.DataFrame, study: StudyTable) -> Any:
    """Every interval as a bar, thick alone and thin together with all others; the line at nothing."""
    rows = found[found["low"].notna()]
    figure = go.Figure(layout=figure_layout())
    for low, high, width, color, name in (
        ("low_together", "high_together", 1, MUTED, "all intervals together"),
        ("low", "high", 4, FRONT, "each alone"),
    ):
        figure.add_scatter(
            name=f"{_PERCENT}, {name}",
            x=rows["quality_change"],
            y=rows["change"],
            mode="markers",
            marker={"size": 9, "color": color},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": rows[high] - rows["quality_change"],
                "arrayminus": rows["quality_change"] - rows[low],
                "color": color,
                "thickness": width,
                "width": 0,
            },
            text=rows["verdict"],
            hovertemplate="%{y}<br>%{text}<extra></extra>",
        )
    figure.add_vline(x=0, line={"color": INK, "width": 1.2, "dash": "dot"})
    figure.update_xaxes(title=f"Δ {heading('quality', study)} · left is better")
    figure.update_yaxes(autorange="reversed", type="category")
    figure.update_layout(height=_FRAME_PIXELS + _ROW_PIXELS * len(rows), autosize=True)
    return figure


def _is_empty(column: pd.Series) -> bool:
    return bool((column.isna() | (column == "")).all())
