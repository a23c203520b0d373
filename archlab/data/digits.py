"""``digits``: scikit-learn's 1,797 real handwritten digits of 8×8 pixels."""

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from archlab.cache import content_hash
from archlab.data.captioned import VALIDATION_SHARE, CaptionedImages, Origin

_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SIDE, _WHITE = 8, 16  # pixels; the grey levels are 0 … 16


def digits(image_size: int) -> CaptionedImages:
    """The digits with captions; at 8 the pixels are exact, else resized (bilinear). 20% of each class validate."""
    loaded = load_digits()
    pixels = (loaded.images[:, None] / (_WHITE / 2) - 1).astype(np.float32)
    captions = [f"a handwritten {_NUMBERS[digit]}" for digit in loaded.target]
    train, validation = train_test_split(
        np.arange(len(captions)), test_size=VALIDATION_SHARE, random_state=0, stratify=captions
    )
    images = torch.from_numpy(pixels)
    if image_size != _SIDE:
        images = F.interpolate(images, size=(image_size, image_size), mode="bilinear", antialias=True)
    return CaptionedImages(
        name="digits",
        images=images,
        captions=captions,
        train=torch.from_numpy(train),
        validation=torch.from_numpy(validation),
        attributes={"digit": _NUMBERS},
        facts=torch.from_numpy(loaded.target.astype(np.int64))[:, None],
        id=content_hash(pixels.tobytes(), captions, train.tolist(), validation.tolist(), image_size),
        origin=Origin(
            kind="scikit-learn's handwritten digits",
            sizes={f"{_SIDE}×{_SIDE}": len(captions)},
            modes={"L": len(captions)},
            enlarged=len(captions) if image_size > _SIDE else 0,
        ),
    )
