"""Captioned images to train and judge a proxy on."""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor

from archlab.errors import BadInput, nearest

VALIDATION_SHARE = 0.2
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True, eq=False)
class CaptionedImages:
    """A data set, resized, with its split.

    Attributes:
        images: float32 [N, C, H, W] in [-1, 1].
        captions: one per image.
        train, validation: indices into ``images``; together every image once.
        id: content hash of images, captions, size and split.
    """

    images: Tensor
    captions: list[str]
    train: Tensor
    validation: Tensor
    id: str

    @property
    def channels(self) -> int:
        """Channels of an image."""
        return self.images.shape[1]

    @property
    def prompts(self) -> list[str]:
        """The distinct captions in the order in which they first appear."""
        return list(dict.fromkeys(self.captions))

    @property
    def labels(self) -> Tensor:
        """Each image's caption as an index into ``prompts``: int64 [N]."""
        index = {prompt: k for k, prompt in enumerate(self.prompts)}
        return torch.tensor([index[caption] for caption in self.captions])


@lru_cache(maxsize=8)
def load_data(name: str, sample_size: int) -> CaptionedImages:
    """Load a data set, its images resized (bilinear) to ``sample_size``; 20% of each class validate.

    ``digits``: scikit-learn's 1,797 real handwritten digits of 8×8 pixels; at 8 the pixels are exact.

    Raises:
        BadInput: there is no data set of that name.
    """
    if name not in _SOURCES:
        raise BadInput(f"proxy.data: no data set {name!r}{nearest(name, _SOURCES)}")
    pixels, captions = _SOURCES[name]()
    train, validation = train_test_split(
        np.arange(len(captions)), test_size=VALIDATION_SHARE, random_state=0, stratify=captions
    )
    images = torch.from_numpy(pixels)
    if images.shape[-1] != sample_size:
        images = F.interpolate(images, size=(sample_size, sample_size), mode="bilinear", antialias=True)
    content = hashlib.sha256(pixels.tobytes())
    content.update(json.dumps([captions, train.tolist(), validation.tolist(), sample_size]).encode())
    return CaptionedImages(
        images=images,
        captions=captions,
        train=torch.from_numpy(train),
        validation=torch.from_numpy(validation),
        id=content.hexdigest()[:12],
    )


def _digits() -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float32]], list[str]]:
    digits = load_digits()
    pixels = (digits.images[:, None] / 8 - 1).astype(np.float32)  # the grey levels are 0 … 16
    return pixels, [f"a handwritten {_NUMBERS[digit]}" for digit in digits.target]


_SOURCES = {"digits": _digits}
