"""Where an image's edges are."""

import numpy as np
import torch
from torch import Tensor

from archlab.errors import require


def edges(images: Tensor, sigma: float) -> Tensor:
    """Canny's edges of any of the channels (Canny 1986), by scikit-image: 0 or 1, float32 [B, 1, H, W].

    Args:
        images: [B, C, H, W] in [-1, 1].
        sigma: of the Gaussian that the image is smoothed with first, in pixels.
    """
    feature = require("skimage.feature", "finding edges")
    levels = (images / 2 + 0.5).numpy()
    found = [np.any([feature.canny(channel, sigma=sigma) for channel in image], axis=0) for image in levels]
    return torch.from_numpy(np.stack(found)).float()[:, None]
