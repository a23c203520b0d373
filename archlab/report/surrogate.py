"""What the surrogate of a search makes of it: how well it predicts, which knobs it says matter, what it would train."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from archlab.analysis.table import StudyTable
from archlab.report.cards import Card
from archlab.report.labels import heading
from archlab.report.snapshot import once
from archlab.report.style import DOMINATED, FRONT, INK, figure_layout
from archlab.space import label
from archlab.study.explanation import LEAST, Check, Explanation, Promise, explain
from archlab.study.surrogate import Gain
from archlab.study.surrogate.forecast import LEVEL

_PERCENT = f"{100 * LEVEL:.0f} %"
_TITLE = "How well the search's surrogate predicts"
_ROW_PIXELS, _FRAME_PIXELS = 30, 90


@once
def explained(study: StudyTable) -> Explanation | None:
    """See `archlab.study.explanation.explain`."""
    return explain(study)


def surrogate_cards(found: Explanation | None, study: StudyTable) -> list[Card]:
    """Three, of a study that a surrogate led; one that says what is missing where nothing is known yet."""
    if found is None:
        missing = f"This needs {LEAST} trials that were trained to the end."
        return [Card(key="calibration", title=_TITLE, sentence="", missing=missing)]
    return [_calibration_card(found, study), _knobs_card(found, study), _promising_card(found, study)]


def further_hour(gain: Gain | None) -> str:
    """``A further hour of one worker is expected to raise the hypervolume by about 2.3 % (80 %: 0.4 to 5.1 %).``"""
    if gain is None:
        return ""
    if gain.mean < 0.0005:
        return "A further hour of one worker is not expected to raise the hypervolume."
    return (
        f"A further hour of one worker is expected to raise the hypervolume by about {100 * gain.mean:.2g} % "
        f"({_PERCENT}: {100 * gain.low:.2g} to {100 * gain.high:.2g} %)."
    )


def expectation(study: StudyTable) -> str:
    """`further_hour` of a search that a surrogate led; empty where nothing is known."""
    found = explained(study) if study.design.strategy == "surrogate" else None
    return "" if found is None else further_hour(found.hour)


def covered(checks: Sequence[Check]) -> str:
    """``11 of 13 (85 %)``"""
    inside = sum(check.is_inside for check in checks)
    return f"{inside} of {len(checks)} ({100 * inside / len(checks):.0f} %)"


def _calibration_card(found: Explanation, study: StudyTable) -> Card:
    known = found.calibration
    further = []
    if known.lower:
        further.append(f"at lower rungs, where the others ended, {covered(known.lower)}")
    if known.begun:
        further.append(f"given the architecture's own lower rungs, too, {covered(known.begun)}")
    return Card(
        key="calibration",
        title=_TITLE,
        sentence=(
            f"Every quality is predicted from all other architectures alone, as before its training: the {_PERCENT} "
            f"intervals hold {'; '.join([covered(known.untrained), *further])}. The fewer they are, the less such a "
            "share says. Hyperparameters are fitted to all of them."
        ),
        figure=calibration_figure(known.untrained, heading("quality", study)),
    )


def calibration_figure(checks: Sequence[Check], quality: str) -> Any:
    """Predicted against observed with intervals; on the line both agree."""
    figure = go.Figure(layout=figure_layout())
    ends = [min(check.observed for check in checks), max(check.observed for check in checks)]
    figure.add_scatter(
        x=ends, y=ends, mode="lines", name="as observed", line={"color": INK, "width": 1, "dash": "dot"},
        hoverinfo="skip",
    )  # fmt: skip
    for name, color, is_inside in (("inside", FRONT, True), ("outside", DOMINATED, False)):
        shown = [check for check in checks if check.is_inside is is_inside]
        figure.add_scatter(
            name=f"{_PERCENT} interval, {name}",
            x=[check.observed for check in shown],
            y=[check.predicted.median for check in shown],
            mode="markers",
            marker={"size": 8, "color": color},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [check.predicted.high - check.predicted.median for check in shown],
                "arrayminus": [check.predicted.median - check.predicted.low for check in shown],
                "color": color,
                "thickness": 1.5,
                "width": 3,
            },
            customdata=[check.trial for check in shown],
            hovertemplate="trial %{customdata}<br>observed %{x:.4g}<br>predicted %{y:.4g}<extra></extra>",
        )
    figure.update_xaxes(title=f"observed {quality}")
    figure.update_yaxes(title="predicted without it")
    return figure


def _knobs_card(found: Explanation, study: StudyTable) -> Card:
    quality = heading("quality", study)
    clear = [effect.knob for effect in found.knobs if effect.low > 0]
    said = f"Clear of zero: {', '.join(clear)}." if clear else "No knob's interval is clear of zero."
    return Card(
        key="knobs",
        title="Which knobs matter, by the surrogate",
        sentence=(
            f"How much worse {quality} becomes from a knob's best value to its worst, other knobs equal: a "
            f"main-effects fit to what the surrogate predicts of {found.looked_at + found.begun} architectures, with "
            f"{_PERCENT} intervals. {said}"
        ),
        figure=_knobs_figure(found, quality),
        data=pd.DataFrame(
            [(one.knob, one.best, one.worst, one.change, one.low, one.high) for one in found.knobs],
            columns=["knob", "best value", "worst value", f"Δ {quality}", "Δ from", "Δ to"],
        ),
    )


def _knobs_figure(found: Explanation, quality: str) -> Any:
    figure = go.Figure(layout=figure_layout())
    figure.add_scatter(
        x=[one.change for one in found.knobs],
        y=[one.knob for one in found.knobs],
        mode="markers",
        name=f"{_PERCENT} interval",
        marker={"size": 9, "color": FRONT},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [one.high - one.change for one in found.knobs],
            "arrayminus": [one.change - one.low for one in found.knobs],
            "color": FRONT,
            "thickness": 3,
            "width": 0,
        },
        text=[f"{one.best} → {one.worst}" for one in found.knobs],
        hovertemplate="%{y}: %{text}<br>%{x:.3g}<extra></extra>",
    )
    figure.add_vline(x=0, line={"color": INK, "width": 1.2, "dash": "dot"})
    figure.update_xaxes(title=f"Δ {quality}, worst value against best · right matters more")
    figure.update_yaxes(autorange="reversed", type="category")
    figure.update_layout(height=_FRAME_PIXELS + _ROW_PIXELS * len(found.knobs), showlegend=False)
    return figure


def _promising_card(found: Explanation, study: StudyTable) -> Card:
    title = "Predicted to lie on the front, not trained"
    if not found.promising:
        sentence = f"None of {found.looked_at} further architectures is likelier on the front than not."
        return Card(key="promising", title=title, sentence=sentence)
    return Card(
        key="promising",
        title=title,
        sentence=(
            f"Of {found.looked_at} further architectures, those that are likelier on the front than not, the greatest "
            f"expected gain first; quality with its {_PERCENT} prediction interval. Costs are exact unless marked ≈. "
            f"To train them: `archlab study {study.name} --more {len(found.promising)}`. The search begins with what "
            f"promises most a step, and learns on the way. {further_hour(found.hour)}"
        ),
        data=pd.DataFrame([_row(promise, study) for promise in found.promising]),
    )


def _row(promise: Promise, study: StudyTable) -> dict[str, Any]:
    quality = promise.quality
    differs = {name: label(value) for name, value in promise.values.items() if label(value) != study.baseline.get(name)}
    return {
        "knobs, where not the baseline's": ", ".join(f"{name} {value}" for name, value in differs.items()) or "none",
        heading("quality", study): quality.median,
        "from": quality.low,
        "to": quality.high,
        **{
            heading(name, study): f"≈ {value:.4g}" if name in promise.predicted_costs else value
            for name, value in promise.costs.items()
        },
        "chance (%)": round(100 * promise.chance),
    }
