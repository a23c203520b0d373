"""Pictures of a network while it learns: always of the same prompts and noise."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from torch import Tensor

from archlab.data.captioned import CaptionedImages
from archlab.data.pictures import grid
from archlab.progress import ShareDone, silent_share

_MOST_ROWS, _COLUMNS, _MOST = 12, 4, 32


class Drawing(Protocol):
    """What draws: an `archlab.model.Model`."""

    def draw(
        self, prompts: Sequence[str], seeds: Sequence[int], *, at_once: int | None = None, progress: ShareDone = ...
    ) -> Tensor:
        """One image for each prompt with its seed: float32 [N, C, H, W] in [-1, 1]."""


def shown_prompts(data: CaptionedImages) -> list[str]:
    """Four of each caption where these are few, else some of the validation split."""
    distinct = len(data.prompts)
    return data.prompts_to_draw(_COLUMNS * distinct if distinct <= _MOST_ROWS else _MOST)[0]


def draw_pictures(
    model: Drawing, prompts: Sequence[str], path: Path, at_once: int, progress: ShareDone = silent_share
) -> Tensor:
    """What the model draws of the prompts: [N, C, H, W], written as one PNG; each place has always the same noise."""
    images = model.draw(prompts, range(len(prompts)), at_once=at_once, progress=progress)
    grid(images, prompts, path)
    return images
