"""Pictures beside a data set's images, as controls see them: edges of the images, or files of a folder."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

import torch
from torch import Tensor

from archlab.data.captioned import CaptionedImages
from archlab.data.edges import edges
from archlab.data.left_out import Unusable
from archlab.data.pixels import decode, is_image
from archlab.errors import BadInput, shown

EDGES = "edges"

_CHANNELS = 3


class Conditions(Protocol):
    """A picture of each image of a data set."""

    def __getitem__(self, indices: Tensor, /) -> Tensor:
        """Those of these images: int64 [B] → float32 [B, 3, H, W] in [0, 1]."""


class EdgesOfImages:
    """Found anew whenever they are asked for."""

    def __init__(self, data: CaptionedImages, sigma: float) -> None:
        self._images, self._sigma = data.images, sigma

    def __getitem__(self, indices: Tensor, /) -> Tensor:
        return edges(self._images[indices], self._sigma).expand(-1, _CHANNELS, -1, -1)


class PicturesOfFolder:
    """Files that bear the names of the data set's images, whatever their suffix; cropped and resized as images are.

    Raises:
        BadInput: there is no such folder, the data set's images have no names, or one has no picture.
    """

    def __init__(self, data: CaptionedImages, folder: Path) -> None:
        if not folder.is_dir():
            raise BadInput(f"condition: neither {EDGES} nor a folder: {shown(str(folder))}")
        if not data.names:
            raise BadInput(
                f"condition: the images of {data.name} have no names to find their pictures by; take {EDGES}"
            )
        self._size = data.images.shape[-1]
        self._paths = _found(data.names, folder)

    def __getitem__(self, indices: Tensor, /) -> Tensor:
        return torch.stack([_picture(self._paths[index], self._size) for index in indices.tolist()])


def conditions_of(data: CaptionedImages, condition: str, sigma: float) -> Conditions:
    """A picture of each image.

    Args:
        condition: ``edges``, or a folder.
        sigma: of edges, see `archlab.data.edges.edges`.

    Raises:
        BadInput: see `PicturesOfFolder`.
    """
    return EdgesOfImages(data, sigma) if condition == EDGES else PicturesOfFolder(data, Path(condition))


def _found(names: Sequence[str], folder: Path) -> list[Path]:
    """The file of each name."""
    there = {path.relative_to(folder).with_suffix("").as_posix(): path for path in _images_below(folder)}
    stems = [PurePosixPath(name).with_suffix("").as_posix() for name in names]
    if missing := [name for name, stem in zip(names, stems, strict=True) if stem not in there]:
        raise BadInput(f"condition: {folder} has no picture for {len(missing):,} images, the first is {missing[0]}")
    return [there[stem] for stem in stems]


def _images_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and is_image(path.name))


def _picture(path: Path, size: int) -> Tensor:
    try:
        return torch.from_numpy(decode(path.read_bytes(), size).pixels.copy()).float() / 255
    except (OSError, Unusable) as why:
        raise BadInput(f"condition: {path}: no picture that can be read: {why}") from None
