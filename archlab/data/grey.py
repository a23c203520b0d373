"""Coloured images for a network of one channel."""

from dataclasses import replace

import torch

from archlab.cache import content_hash
from archlab.data.captioned import CaptionedImages

_LUMA = (0.299, 0.587, 0.114)  # Rec. 601, as Pillow's mode L


def as_grey(data: CaptionedImages) -> CaptionedImages:
    """The data set with one channel; grey pictures that were read as RGB are what they were."""
    if data.channels == 1:
        return data
    weights = torch.tensor(_LUMA, dtype=data.images.dtype)[:, None, None]
    grey = (data.images * weights).sum(dim=1, keepdim=True)
    return replace(data, images=grey, id=content_hash(data.id, "grey"))
