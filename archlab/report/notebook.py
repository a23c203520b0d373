"""A study as a notebook shows it: its front as a table, its charts as pictures."""

from html import escape

from archlab.analysis.health import health
from archlab.errors import BadInput
from archlab.report.axes import draw_frame
from archlab.report.effects import draw_effects
from archlab.report.front import front_info
from archlab.report.front_table import front_table
from archlab.report.history import history_info
from archlab.report.labels import heading
from archlab.report.pareto import pareto_figure
from archlab.report.picture import DPI, Picture, styled
from archlab.report.style import FRONT
from archlab.report.table import text
from archlab.study import Study


def as_html(study: Study) -> str:
    """What became of the trials, the front with its picks, and what a reader has to know before believing it."""
    lines = [f"<b>{escape(study.name)}</b>: {escape(str(study.counts))}", *map(escape, health(study))]
    front = front_table(study, _marks(study))
    same = [knob for knob in study.knobs if knob in front and front[knob].map(text).nunique() == 1]
    shown = front.drop(columns=same).map(text).to_html(index=False, border=0) if len(front) else ""
    return "".join(f"<p>{line}</p>" for line in lines) + shown


def plot_front(study: Study, cost: str | None = None) -> Picture:
    """Quality against a cost, absent: the study's first."""
    if cost is not None and cost not in study.trials:
        raise BadInput(f"study {study.name} has no column {cost}")
    with styled():
        return pareto_figure(front_info(study, _marks(study), cost))


def plot_effects(study: Study) -> Picture:
    """What each change does to quality, of a search what each knob value is worth, with intervals where known.

    Raises:
        BadInput: nothing is known of any.
    """
    found = study.prices
    if not found["quality_change"].notna().any():
        raise BadInput(f"study {study.name}: no effect on quality is known: too few trials differ in one knob")
    with styled():
        return draw_effects(found, study)


def plot_history(study: Study) -> Picture:
    """How the front grew, trial by trial.

    Raises:
        BadInput: no two trained trials differ in every objective.
    """
    info = history_info(study)
    if info is None:
        raise BadInput(f"study {study.name}: no two trained trials differ in every objective yet")
    is_best = info.kind == "best"
    what = f"best {heading('quality', study)} so far" if is_best else "hypervolume (%)"
    values = info.values if is_best else [100 * value for value in info.values]
    with styled():
        figure = Picture(figsize=(8.4, 4.2), dpi=DPI, layout="constrained", facecolor="white")
        axes = figure.subplots()
        draw_frame(axes, axes, study.name, "trial", what)
        axes.plot(info.trials, values, "o-", color=FRONT, drawstyle="steps-post", markersize=4)
        return figure


def _marks(study: Study) -> dict[str, int]:
    return {word: pick.trial for word, pick in study.picks.items()}
