"""Colours and the common layout of the report's figures."""

from typing import Any

INK = "#17202e"
MUTED = "#667085"
GRID = "#e8ebf0"
FRONT = "#1259c3"
DOMINATED = "#b3bac6"
LIMIT = "#c4452f"
STOPPED = "#a97f3a"

COLOURS = {  # of figures on a page, each with the variable of its style that stands for it
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--line",
    FRONT: "--front",
    LIMIT: "--limit",
    STOPPED: "--stopped",
    "white": "--paper",
}

DOTTED = (0, (1, 1))  # matplotlib's edge of marks whose number is noisy

STUDIES = (  # colours that the colour-blind tell apart (Okabe and Ito), each with matplotlib's and plotly's mark
    ("#0072b2", "o", "circle"),
    ("#d55e00", "s", "square"),
    ("#009e73", "^", "triangle-up"),
    ("#cc79a7", "D", "diamond"),
    ("#e69f00", "v", "triangle-down"),
    ("#56b4e9", "P", "cross"),
)


def figure_layout() -> dict[str, Any]:
    """A plotly layout: white, light grid, system fonts, legend above."""
    axis = {
        "gridcolor": GRID,
        "linecolor": MUTED,
        "zeroline": False,
        "ticks": "outside",
        "tickcolor": GRID,
        "title": {"font": {"size": 13}, "standoff": 12},
        "automargin": True,
    }
    return {
        "template": None,
        "font": {
            "family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
            "color": INK,
            "size": 12,
        },
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "margin": {"l": 60, "r": 24, "t": 16, "b": 56},
        "xaxis": axis,
        "yaxis": axis,
        "legend": {"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom", "itemsizing": "constant"},
        "hovermode": "closest",
        "autosize": True,
    }
