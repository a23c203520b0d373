"""Figures as files for papers and slides."""

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from archlab.files import atomic_path

DPI = 200
_NOTEBOOK_DPI = 100

_STYLE = {"font.size": 9.5, "svg.hashsalt": "archlab", "font.family": "DejaVu Sans"}


class Picture(Figure):
    """A figure that a notebook shows by itself."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        with styled():
            self.savefig(file, format="png", dpi=_NOTEBOOK_DPI)
        return file.getvalue()


def styled() -> AbstractContextManager[None]:
    """The style in which figures are drawn and saved, whatever the user's own."""
    found: AbstractContextManager[None] = matplotlib.rc_context(_STYLE)
    return found


def write_picture(draw: Callable[[], Figure], stem: Path) -> None:
    """Write ``<stem>.png`` and ``<stem>.svg``, each whole or not at all; equal figures give equal files."""
    with styled():
        figure = draw()
        with atomic_path(stem.with_name(f"{stem.name}.png")) as path:
            figure.savefig(path, format="png", dpi=DPI)
        with atomic_path(stem.with_name(f"{stem.name}.svg")) as path:
            figure.savefig(path, format="svg", metadata={"Date": None})
