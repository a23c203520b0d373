"""Several studies on one front: a page, a picture and tables."""

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from archlab.analysis.compare import Comparison
from archlab.analysis.noise import noisy_trials
from archlab.analysis.picks import amount
from archlab.evaluation.evaluation import kind_column
from archlab.evaluation.measures import Direction, direction, find_column
from archlab.files import writable_folder, write_text
from archlab.report.axes import draw_frame, label_points, line_boxes, point_boxes, staircase
from archlab.report.cards import Card
from archlab.report.front import Point, non_dominated
from archlab.report.labels import axis, heading
from archlab.report.page import render_page
from archlab.report.picture import DPI, write_picture
from archlab.report.seeds import seeds_in_words
from archlab.report.style import DOTTED, INK, STUDIES, figure_layout
from archlab.report.table import is_plain, text
from archlab.report.tables import write_tables

_SIZE_INCHES = (8.4, 5.4)
_FADED = 0.35
_OPEN = {"": "", "estimated": "-open", "noisy": "-open-dot"}  # what plotly adds to a mark's name
_LEAD = "Every trained architecture of these studies, by the same scores and on the same devices."


class StudySeries(NamedTuple):
    """One study's trials in the chart; ``front``: those on the front over all studies. By cost."""

    study: str
    front: list[Point]
    dominated: list[Point]


class CompareInfo(NamedTuple):
    """The chart as data.

    Attributes:
        cost_direction: which way what quality is charted against is better.
        staircase: the points of all fronts that no other dominates in these two numbers, from the best cost on.
        estimated: by study, the trials whose cost is estimated; they are drawn hollow.
        noisy: likewise, those whose cost is noisy; hollow, with a dot or dotted.
    """

    title: str
    cost_title: str
    cost_direction: Direction
    quality_title: str
    series: list[StudySeries]
    staircase: list[Point]
    estimated: dict[str, set[int]]
    noisy: dict[str, set[int]]


def write_comparison(comparison: Comparison, folder: Path) -> Path:
    """Write ``index.html``, ``compare.png`` and ``.svg``, and ``front`` and ``studies`` as ``.csv``, ``.md`` and
    ``.tex``; each whole or not at all.

    Returns:
        The path of ``index.html``.

    Raises:
        BadInput: the folder cannot be written.
    """
    info, folder = compare_info(comparison), writable_folder(folder)
    front, studies = compared_front(comparison), studies_table(comparison)
    write_picture(lambda: compare_figure(info), folder / "compare")
    write_tables({"front": front, "studies": studies}, folder)
    cards = [
        Card(key="front", title="One front", sentence=_finding(comparison), figure=_chart(info)),
        Card(key="picks", title="Which one", sentence="Picks of the front over all.", data=_picks_table(comparison)),
        Card(key="seeds", title="How sure", sentence=" ".join(seeds_in_words(comparison))),
        Card(key="studies", title="The studies", sentence=_coverage(comparison), data=studies),
        Card(key="rows", title="The front, row by row", sentence="From cheap to good.", data=front),
    ]
    figures = {card.key: card.figure.to_plotly_json() for card in cards if card.figure is not None}
    values = {"kicker": "archlab compare", "name": info.title, "lead": _LEAD, "cards": cards}
    write_text(folder / "index.html", render_page("cards.html.j2", {"figures": figures}, **values))
    return folder / "index.html"


def compare_info(comparison: Comparison) -> CompareInfo:
    """What the chart shows: quality against the first cost."""
    cost, first, trials = _cost(comparison), comparison.first, comparison.trials
    kind = kind_column(cost)
    kinds = trials[kind] if kind in trials else pd.Series("", index=trials.index)
    series, estimated, noisy = [], {}, {}
    for name in comparison.studies:
        own = trials["study"] == name
        series.append(
            StudySeries(name, *(_points(trials[own & (trials["on_front"] == on)], cost) for on in (True, False)))
        )
        estimated[name] = {int(number) for number in trials.loc[own & (kinds == "estimated"), "trial"]}
        noisy[name] = noisy_trials(trials[own], cost)
    return CompareInfo(
        title=" · ".join(comparison.studies),
        cost_title=axis(cost, first),
        cost_direction=direction(cost),
        quality_title=axis("quality", first),
        series=series,
        staircase=non_dominated([point for each in series for point in each.front], direction(cost)),
        estimated=estimated,
        noisy=noisy,
    )


def compared_front(comparison: Comparison) -> pd.DataFrame:
    """The front over all studies, headed as people read it, rows by rising cost."""
    front, first = comparison.front, comparison.first
    words: dict[tuple[str, int], list[str]] = {}
    for word, pick in comparison.picks.items():
        words.setdefault((pick.study, pick.trial), []).append(word)
    keys = zip(front["study"], front["trial"], strict=True)
    front.insert(2, "pick", [", ".join(words.get(key, [])) for key in keys])
    kept = [name for name in front.drop(columns=["on_front", "network"]) if name == "pick" or not is_plain(front[name])]
    return front[kept].rename(columns={name: heading(str(name), first) for name in kept})


def studies_table(comparison: Comparison) -> pd.DataFrame:
    """One row a study: how many trials, how many on the front over all, its best, the hypervolume that it covers."""
    cost, first, rows = _cost(comparison), comparison.first, []
    extreme = "least" if direction(cost) == "minimize" else "most"
    for name in comparison.studies:
        own = comparison.trials[comparison.trials["study"] == name]
        rows.append(
            {
                "study": name,
                "trained": len(own),
                "on the front": int(own["on_front"].sum()),
                f"best {heading('quality', first)}": own["quality"].min(),
                f"{extreme} {heading(cost, first)}": own[cost].min() if extreme == "least" else own[cost].max(),
                "hypervolume (%)": round(100 * comparison.covered[name], 1),
            }
        )
    return pd.DataFrame(rows)


def compare_figure(info: CompareInfo) -> Figure:
    """A colour for each study; full marks are on the front over all, faded ones are not, hollow ones are
    estimated, dotted ones noisy."""
    figure = Figure(figsize=_SIZE_INCHES, dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    draw_frame(axes, axes, info.title, info.cost_title, info.quality_title)
    for each, (color, mark, _) in zip(info.series, _looks(info), strict=True):
        for points, alpha in ((each.dominated, _FADED), (each.front, 1.0)):
            for doubt in ("", "estimated", "noisy"):
                shown = [point for point in points if _doubt(point, each.study, info) == doubt]
                axes.scatter(
                    *_xy(shown), s=40, marker=mark, alpha=alpha, facecolors="white" if doubt else color,
                    edgecolors=color, linestyles=DOTTED if doubt == "noisy" else "-", zorder=3 + alpha,
                )  # fmt: skip
        axes.scatter([], [], s=40, marker=mark, color=color, label=_said(each))
    figure.legend(loc="outside upper right", ncols=min(4, len(info.series)), frameon=False, handletextpad=0.3)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    axes.set_xlim(axes.get_xlim())
    axes.set_ylim(axes.get_ylim())
    stairs = staircase(axes, list(zip(*_xy(info.staircase), strict=True)), info.cost_direction)
    axes.plot(*stairs, color=INK, linewidth=1.2, alpha=0.6, zorder=2)
    labelled = [point for each in info.series for point in each.front]
    every = [*labelled, *(point for each in info.series for point in each.dominated)]
    boxes = [*point_boxes(axes, list(zip(*_xy(every), strict=True))), *line_boxes(axes, *stairs)]
    places = list(zip(*_xy(labelled), strict=True))
    label_points(figure, axes, places, [str(point.trial) for point in labelled], boxes, bold=[False] * len(labelled))
    return figure


def _chart(info: CompareInfo) -> Any:
    figure = go.Figure(layout=figure_layout())
    corners = info.staircase
    figure.add_scatter(
        x=[point.cost for point in corners], y=[point.quality for point in corners], mode="lines",
        line={"color": INK, "width": 1.5, "shape": "hv"}, opacity=0.6, hoverinfo="skip", name="front over all",
    )  # fmt: skip
    for each, (color, _, symbol) in zip(info.series, _looks(info), strict=True):
        points = [*each.front, *each.dominated]
        doubts = [_doubt(point, each.study, info) for point in points]
        figure.add_scatter(
            name=_said(each),
            x=[point.cost for point in points],
            y=[point.quality for point in points],
            customdata=[point.trial for point in points],
            text=[f" ({doubt})" if doubt else "" for doubt in doubts],
            mode="markers",
            marker={
                "color": color,
                "size": 10,
                "symbol": [f"{symbol}{_OPEN[doubt]}" for doubt in doubts],
                "opacity": [1.0] * len(each.front) + [_FADED] * len(each.dominated),
            },
            hovertemplate=f"{each.study}, trial %{{customdata}}<br>%{{x:.4g}}%{{text}} · %{{y:.4g}}<extra></extra>",
        )
    figure.update_xaxes(title=info.cost_title)
    figure.update_yaxes(title=info.quality_title)
    return figure


def _doubt(point: Point, study: str, info: CompareInfo) -> str:
    """``noisy``, ``estimated``, or nothing."""
    return "noisy" * (point.trial in info.noisy[study]) or "estimated" * (point.trial in info.estimated[study])


def _finding(comparison: Comparison) -> str:
    front, cost = comparison.front, _cost(comparison)
    networks = comparison.trials["network"].nunique()
    found_by = comparison.trials.loc[comparison.trials["on_front"], "study"]
    shares = [f"{(found_by == name).sum()} of {name}" for name in comparison.studies]
    found, rising = find_column(cost), direction(cost) == "minimize"
    cheapest = front.sort_values([cost, "quality"], ascending=[rising, True], kind="stable").iloc[0]
    best = front.sort_values(["quality", cost], ascending=[True, rising]).iloc[0]
    extreme = "cheapest" if found is None or found.measure.is_cost else f"best {cost}"
    return (
        f"{len(front)} of {networks} trained architectures are on the front over all studies: "
        f"{', '.join(shares)}. The {extreme}, {amount(cost, cheapest)}, is trial {cheapest['trial']} of "
        f"{cheapest['study']}; the best, {text(best['quality'])}, is trial {best['trial']} of {best['study']}. "
        "Full marks are on that front, faded ones are beaten by it; hollow ones are estimated, those with a dot noisy."
    )


def _coverage(comparison: Comparison) -> str:
    return (
        f"Together they cover {comparison.covered_by_all:.1%} of the box between the best of every objective and the "
        "reference point, a tenth of each range beyond the worst (hypervolume); each alone covers what the table says."
    )


def _cost(comparison: Comparison) -> str:
    """What quality is charted against: the first other objective."""
    return next((name for name in comparison.objectives if name != "quality"), "macs_g")


def _picks_table(comparison: Comparison) -> pd.DataFrame:
    return pd.DataFrame([{"pick": word, **pick._asdict()} for word, pick in comparison.picks.items()])


def _said(series: StudySeries) -> str:
    return f"{series.study} ({len(series.front)} of {len(series.front) + len(series.dominated)} on the front)"


def _looks(info: CompareInfo) -> list[tuple[str, str, str]]:
    """Colour, matplotlib's and plotly's mark of each study."""
    return [STUDIES[index % len(STUDIES)] for index in range(len(info.series))]


def _points(rows: pd.DataFrame, cost: str) -> list[Point]:
    found = zip(rows["trial"], rows[cost], rows["quality"], strict=True)
    return sorted(
        (Point(int(trial), float(value), float(quality)) for trial, value, quality in found),
        key=lambda point: (point.cost, point.quality),
    )


def _xy(points: list[Point]) -> tuple[list[float], list[float]]:
    return [point.cost for point in points], [point.quality for point in points]
