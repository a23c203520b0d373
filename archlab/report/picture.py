"""Figures as files for papers and slides."""

from collections.abc import Callable
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from archlab.files import atomic_path

DPI = 200

_STYLE = {"font.size": 9.5, "svg.hashsalt": "archlab", "font.family": "DejaVu Sans"}


def write_picture(draw: Callable[[], Figure], stem: Path) -> None:
    """Write ``<stem>.png`` and ``<stem>.svg``, each whole or not at all; equal figures give equal files."""
    with matplotlib.rc_context(_STYLE):
        figure = draw()
        with atomic_path(stem.with_name(f"{stem.name}.png")) as path:
            figure.savefig(path, format="png", dpi=DPI)
        with atomic_path(stem.with_name(f"{stem.name}.svg")) as path:
            figure.savefig(path, format="svg", metadata={"Date": None})
