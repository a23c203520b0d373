"""Images laid out to look at, every pixel of a small one a crisp square."""

import textwrap
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from archlab.files import atomic_path

if TYPE_CHECKING:
    from torch import Tensor

_COLUMNS = 8
_MOST_ROWS, MOST_TILES = 12, 32
_CAPTION_LETTERS, _CAPTION_LINES = 24, 3  # letters in each line
_SIDE, _TILE_SIDE, _LARGEST_SIDE = 80, 128, 512  # small images are enlarged, large ones shrunk; all in pixels
_GAP, _TILE_GAP = 4, 12
_CAPTION_WIDTH, _CAPTION_SIZE = 180, 12.5
_TILE_CAPTION_HEIGHT, _TILE_CAPTION_SIZE = 45, 9.7


def shown_prompts(prompts: Sequence[str]) -> list[str]:
    """The first prompts, as many as are shown: rows of the same prompt, where there are few, or single ones."""
    distinct = len(set(prompts))
    return list(prompts[: distinct * _COLUMNS if distinct <= _MOST_ROWS else MOST_TILES])


def grid(images: "Tensor", prompts: Sequence[str], path: Path) -> None:
    """Write images as a PNG: one row a prompt, or `tiles` where there are many prompts.

    Args:
        images: [N, C, H, W] in [-1, 1] with C = 1 (grey) or 3.
        prompts: one per image; rows come in the order of first appearance.
    """
    if len(set(prompts)) > _MOST_ROWS:
        tiles(images, prompts, path)
        return
    rows: dict[str, list[Image.Image]] = {}
    for prompt, image in zip(prompts, _shown(images, _SIDE, _LARGEST_SIDE), strict=True):
        rows.setdefault(prompt, []).append(image)
    first, columns = rows[prompts[0]][0], max(map(len, rows.values()))
    width, height = first.width + _GAP, first.height + _GAP
    sheet = Image.new("RGB", (_CAPTION_WIDTH + columns * width, len(rows) * height + _GAP), "white")
    for line, (prompt, row) in enumerate(rows.items()):
        middle = (_CAPTION_WIDTH - 2 * _GAP, (line + 0.5) * height)
        _write_caption(sheet, prompt, middle, "rm", _CAPTION_SIZE)
        for column, image in enumerate(row):
            sheet.paste(image, (_CAPTION_WIDTH + column * width, line * height + _GAP))
    _save(sheet, path)


def tiles(images: "Tensor", captions: Sequence[str], path: Path, largest: int = _LARGEST_SIDE) -> None:
    """Write images as a PNG, eight to a row, each over its caption.

    Args:
        images, captions: as for `grid`.
        largest: side in pixels to which larger images are shrunk.
    """
    shown = _shown(images, _TILE_SIDE, largest)
    width, height = shown[0].width + _TILE_GAP, shown[0].height + _TILE_CAPTION_HEIGHT
    sheet = Image.new("RGB", (_COLUMNS * width, -(-len(shown) // _COLUMNS) * height + _GAP), "white")
    for index, (image, caption) in enumerate(zip(shown, captions, strict=True)):
        left, top = index % _COLUMNS * width, index // _COLUMNS * height + _GAP
        sheet.paste(image, (left + _TILE_GAP // 2, top))
        _write_caption(sheet, caption, (left + width / 2, top + image.height + _GAP), "ma", _TILE_CAPTION_SIZE)
    _save(sheet, path)


def _shown(images: "Tensor", least: int, largest: int) -> list[Image.Image]:
    """Those with a side below the least enlarged by a whole number, those above the largest shrunk."""
    levels = ((np.asarray(images).clip(-1, 1) + 1) * 127.5).round().astype(np.uint8).transpose(0, 2, 3, 1)
    side = max(levels.shape[1:3])
    scale = -(-least // side) if side <= largest else largest / side
    size = (round(levels.shape[2] * scale), round(levels.shape[1] * scale))
    how = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.BOX
    return [Image.fromarray(each.squeeze(-1) if each.shape[-1] == 1 else each).resize(size, how) for each in levels]


def _write_caption(sheet: Image.Image, caption: str, place: tuple[float, float], anchor: str, size: float) -> None:
    align = "right" if anchor.startswith("r") else "center"
    text = textwrap.fill(caption, _CAPTION_LETTERS, max_lines=_CAPTION_LINES, placeholder=" …")
    ImageDraw.Draw(sheet).multiline_text(place, text, "black", _font(size), anchor, spacing=2, align=align)


@cache
def _font(size: float) -> ImageFont.FreeTypeFont:
    """Matplotlib's, which knows the letters of many languages; one that it lacks is a box."""
    import matplotlib  # a sixth of a second, for captions alone

    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), size)


def _save(sheet: Image.Image, path: Path) -> None:
    with atomic_path(path) as temporary:
        sheet.save(temporary, format="PNG")
