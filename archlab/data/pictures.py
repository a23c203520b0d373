"""Images laid out to look at, every pixel of a small one a crisp square."""

import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from archlab.files import atomic_path

_COLUMNS = 8
_MOST_ROWS, MOST_TILES = 12, 32
_CAPTION_INCHES, _TILE_GAP_INCHES, _TILE_CAPTION_INCHES = 1.8, 0.6, 0.45
_CAPTION_LETTERS, _CAPTION_LINES = 24, 3  # letters in each line
_DPI = 100
_SIDE, _LARGEST_SIDE = 80, 512  # pixels that an image takes of a picture: small ones are enlarged, large ones shrunk


def shown_prompts(prompts: Sequence[str]) -> list[str]:
    """The first prompts, as many as are shown: rows of the same prompt, where there are few, or single ones."""
    distinct = len(set(prompts))
    return list(prompts[: distinct * _COLUMNS if distinct <= _MOST_ROWS else MOST_TILES])


def grid(images: Tensor, prompts: Sequence[str], path: Path) -> None:
    """Write images as a PNG: one row a prompt, or `tiles` where there are many prompts.

    Args:
        images: [N, C, H, W] in [-1, 1] with C = 1 (grey) or 3.
        prompts: one per image; rows come in the order of first appearance.
    """
    if len(set(prompts)) > _MOST_ROWS:
        tiles(images, prompts, path)
    else:
        _write(_rows(_pixels(images), prompts, _inches(images)), path)


def tiles(images: Tensor, captions: Sequence[str], path: Path) -> None:
    """Write images as a PNG, eight to a row, each over its caption; arguments as for `grid`."""
    rows, tile = -(-len(captions) // _COLUMNS), _inches(images) + _TILE_GAP_INCHES
    size = (_COLUMNS * tile, rows * (tile + _TILE_CAPTION_INCHES))
    figure = Figure(figsize=size, layout="constrained")
    for axis in figure.subplots(rows, _COLUMNS, squeeze=False).flat:
        axis.axis("off")
    for axis, caption, image in zip(figure.axes, captions, _pixels(images), strict=False):
        _show(axis, image)
        axis.set_title(_wrapped(caption), fontsize=7, y=0, va="top", pad=-3, parse_math=False)
    _write(figure, path)


def _rows(pixels: NDArray[np.float32], prompts: Sequence[str], side: float) -> Figure:
    rows: dict[str, list[int]] = {}
    for index, prompt in enumerate(prompts):
        rows.setdefault(prompt, []).append(index)
    columns = max(len(row) for row in rows.values())
    figure = Figure(figsize=(_CAPTION_INCHES + columns * side, len(rows) * side))
    figure.subplots_adjust(left=_CAPTION_INCHES / figure.get_figwidth(), right=0.99, top=0.99, bottom=0.01)
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, (prompt, row) in zip(axes, rows.items(), strict=True):
        place = {"transform": line[0].transAxes, "ha": "right", "va": "center"}
        line[0].text(-0.15, 0.5, _wrapped(prompt), fontsize=9, parse_math=False, **place)
        for axis in line:
            axis.axis("off")
        for axis, index in zip(line, row, strict=False):
            _show(axis, pixels[index])
    return figure


def _pixels(images: Tensor) -> NDArray[np.float32]:
    """[N, H, W] or [N, H, W, 3] in [0, 1]"""
    return ((images + 1) / 2).clamp(0, 1).permute(0, 2, 3, 1).squeeze(3).numpy()


def _inches(images: Tensor) -> float:
    """Side of an image in a picture."""
    return min(max(images.shape[-1], _SIDE), _LARGEST_SIDE) / _DPI


def _show(axis: Axes, image: NDArray[np.float32]) -> None:
    interpolation = "nearest" if image.shape[0] < _SIDE else "antialiased"
    axis.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation=interpolation)


def _wrapped(caption: str) -> str:
    return textwrap.fill(caption, _CAPTION_LETTERS, max_lines=_CAPTION_LINES, placeholder=" …")


def _write(figure: Figure, path: Path) -> None:
    with atomic_path(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a letter that the font lacks is drawn as a box
        figure.savefig(temporary, dpi=_DPI)
