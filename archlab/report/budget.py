"""What a whole image costs, as a picture: milliseconds and megabytes by component."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from archlab.latency.pipeline.image import ImageLatency, Part
from archlab.report.picture import DPI, write_picture
from archlab.report.style import DOMINATED, FRONT, GRID, INK, MUTED

_LEAST_BLOCK = 0.01  # of the axis; shorter runs are not drawn apart
_BAR = 0.36  # of a row's height; two fill a row's bar


def write_budget(image: ImageLatency, stem: Path) -> None:
    """Write ``<stem>.png`` and ``<stem>.svg``, each whole or not at all."""
    write_picture(lambda: budget_figure(image), stem)


def budget_figure(image: ImageLatency) -> Figure:
    """Bars for each component: on the left all of its runs, one block each; on the right its file and its memory."""
    figure = Figure(figsize=(10, 1.5 + 0.62 * len(image.parts)), dpi=DPI, layout="constrained", facecolor="white")
    time, size = figure.subplots(1, 2, sharey=True, width_ratios=[1.35, 1])
    _draw_times(time, image)
    _draw_sizes(size, image)
    time.set_yticks(range(len(image.parts)), [_named(part) for part in image.parts])
    time.invert_yaxis()
    for axes in (time, size):
        _draw_frame(axes)
    guidance = "with guidance" if image.guidance else "without guidance"
    steps = f"{image.steps} step{'s' if image.steps > 1 else ''}"
    title = f"One {image.image_size}×{image.image_size} image, {steps} {guidance}: {number(image.total_ms)} ms"
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold", color=INK)
    figure.supxlabel(_origin(image), x=0.01, ha="left", fontsize=8, color=MUTED)
    return figure


def number(value: float) -> str:
    """Three significant digits, or whole with its thousands apart."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _draw_times(axes: Any, image: ImageLatency) -> None:
    axes.set_xlabel("ms per image · lower is better", color=INK)
    length = _leave_room(axes, max(part.ms_per_image for part in image.parts), 1.75)
    for row, part in enumerate(image.parts):
        each_ms = part.latency.median_ms
        axes.barh(row, part.ms_per_image, height=2 * _BAR, color=FRONT)
        if part.runs > 1 and each_ms >= _LEAST_BLOCK * length:
            ends = [run * each_ms for run in range(1, part.runs)]
            axes.vlines(ends, row - _BAR, row + _BAR, color="white", linewidth=0.8)
        times = f"{part.runs} × {number(each_ms)} = " if part.runs > 1 else ""
        share = part.ms_per_image / image.total_ms
        _label(axes, part.ms_per_image, row, f"{times}{number(part.ms_per_image)} ms ({share:.1%})")


def _draw_sizes(axes: Any, image: ImageLatency) -> None:
    axes.set_xlabel("MB", color=INK)
    for above, name, color in ((True, "model_mb", FRONT), (False, "peak_memory_mb", DOMINATED)):
        for row, part in enumerate(image.parts):
            value, place = getattr(part.latency, name), row + (-_BAR if above else _BAR) / 2
            if value is None:
                _label(axes, 0, place, "memory not known")
                continue
            axes.barh(place, value, height=_BAR, color=color)
            _label(axes, value, place, f"{number(value)} {'file' if above else 'peak memory'}")
    sizes = [part.latency.peak_memory_mb or part.latency.model_mb for part in image.parts]
    _leave_room(axes, max(sizes), 1.5)


def _label(axes: Any, value: float, place: float, words: str) -> None:
    axes.annotate(words, (value, place), (4, 0), textcoords="offset points", va="center", fontsize=8, color=INK)


def _leave_room(axes: Any, longest: float, factor: float) -> float:
    """To the right of the longest bar, for its label; the axis's length."""
    axes.set_xlim(0, longest * factor)
    return longest * factor


def _draw_frame(axes: Any) -> None:
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, length=0)
    axes.tick_params(axis="y", labelcolor=INK)
    for name, spine in axes.spines.items():
        spine.set_visible(name == "left")
        spine.set_color(DOMINATED)


def _named(part: Part) -> str:
    network, _, assumed = part.network.partition(" (")
    return f"{part.component}\n{network}{' (assumed)' if assumed else ''}"


def _origin(image: ImageLatency) -> str:
    """Where the numbers come from, in one line."""
    own = image.parts[0].latency.provenance
    threads = own.get("threads")
    said = (
        image.provenance["kind"],
        "random weights",
        own.get("device"),
        own.get("chip"),
        own.get("precision"),
        f"{threads} thread{'s' if threads > 1 else ''}" if threads else None,
        f"files together {number(image.model_mb)} MB",
    )
    return " · ".join(str(fact) for fact in said if fact)
