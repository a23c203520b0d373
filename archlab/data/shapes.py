"""``shapes``: scenes made by rule, with captions that say all that is in them."""

import numpy as np
import torch

from archlab.cache import content_hash
from archlab.data.captioned import CaptionedImages, Origin
from archlab.data.scenes import ATTRIBUTES, scene
from archlab.errors import BadInput

COUNT = 4096  # each colour, shape, size, place and relation comes hundreds of times, most pairs of objects never
SMALLEST_SIZE = 16  # pixels at which a small circle is still told from a small square
_PLAIN, _UNSEEN, _PERIOD = 0, 5, 10  # of ten scenes in a row these two validate


def shapes(image_size: int) -> CaptionedImages:
    """4,096 scenes of one or two objects, RGB, the same at every size; a fifth validates.

    Half of that fifth pairs a colour and a shape that no training scene pairs.

    Raises:
        BadInput: too few pixels to tell the shapes apart.
    """
    if image_size < SMALLEST_SIZE:
        raise BadInput(f"shapes need images of at least {SMALLEST_SIZE} pixels a side, not {image_size}")
    scenes = [scene(index, with_unseen=index % _PERIOD == _UNSEEN) for index in range(COUNT)]
    pixels = np.stack([np.asarray(drawn.draw(image_size)) for drawn in scenes])
    captions = [drawn.caption for drawn in scenes]
    validates = torch.tensor([index % _PERIOD in (_PLAIN, _UNSEEN) for index in range(COUNT)])
    train, validation = (~validates).nonzero().flatten(), validates.nonzero().flatten()
    return CaptionedImages(
        name="shapes",
        images=torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1),
        captions=captions,
        train=train,
        validation=validation,
        attributes=ATTRIBUTES,
        facts=torch.tensor([drawn.facts for drawn in scenes]),
        id=content_hash(pixels.tobytes(), captions, train.tolist(), validation.tolist(), image_size),
        origin=Origin(kind="scenes made by rule", sizes={f"{image_size}×{image_size}": COUNT}, modes={"RGB": COUNT}),
    )
