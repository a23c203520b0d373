"""The drawing as a picture: SVG and PNG."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from archlab.drawing.canvas import FigureCanvas
from archlab.drawing.geometry import place
from archlab.drawing.info import DrawingInfo
from archlab.drawing.paint import paint
from archlab.drawing.style import DPI, WIDTH
from archlab.drawing.svg import svg_parts
from archlab.errors import BadInput
from archlab.files import atomic_path, writable_folder
from archlab.remarks import unheard

_FONTS = {
    "font.family": ["DejaVu Sans"],
    "hatch.linewidth": 1.6,
}
_PNG_SCALE = 2
_KINDS = ("svg", "png")


def write_picture(info: DrawingInfo, stem: str | Path) -> tuple[Path, Path]:
    """Write ``<stem>.svg`` and ``<stem>.png``, both or neither; equal drawings give equal files.

    Args:
        stem: path of the files without ``.svg`` and ``.png``; one of these at its end is left away.

    Returns:
        The paths of the SVG and the PNG.

    Raises:
        BadInput: the stem is a folder, or its folder cannot be written.
    """
    stem = Path(stem)
    stem = stem.with_suffix("") if stem.suffix in (".svg", ".png") else stem
    if stem.is_dir():
        raise BadInput(f"{stem}: is a folder; name the picture in it, such as {stem / 'drawing'}")
    writable_folder(stem.parent)
    svg, png = (stem.with_name(f"{stem.name}.{kind}") for kind in _KINDS)
    for path in (svg, png):
        if path.is_dir():
            raise BadInput(f"{path}: is a folder; a picture cannot take its place")
    with drawn(info) as figure, atomic_path(svg) as svg_file, atomic_path(png) as png_file:
        svg_file.write_text(_standalone(info), encoding="utf-8")
        figure.savefig(png_file, format="png", dpi=_PNG_SCALE * DPI)
    return svg, png


@contextmanager
def drawn(info: DrawingInfo) -> Iterator[Figure]:
    """The figure, while the settings that it is saved with hold."""
    geometry = place(info)
    with matplotlib.rc_context(_FONTS), unheard("matplotlib"):
        figure = Figure(figsize=(WIDTH / DPI, geometry.height / DPI), dpi=DPI, facecolor="white")
        paint(FigureCanvas(figure, WIDTH, geometry.height), info, geometry)
        yield figure


def _standalone(info: DrawingInfo) -> str:
    """The SVG as a file of its own."""
    size = f' width="{WIDTH}" height="{place(info).height:g}"'
    parts = svg_parts(info, "drawing", f' xmlns="http://www.w3.org/2000/svg"{size}')
    return "".join(['<?xml version="1.0" encoding="utf-8"?>\n', *parts])
