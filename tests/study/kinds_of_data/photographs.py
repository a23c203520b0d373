"""Crops of real photographs, captioned by a rule."""

from itertools import product

from PIL import Image
from skimage import data

from tests.data.layouts import Samples, encoded

SUBJECTS = {"an astronaut": data.astronaut, "a cat": data.chelsea, "a cup": data.coffee, "a rocket": data.rocket}
VIEWS = {"close": 0.25, "medium": 0.4, "wide": 0.6}  # the share of each side
HEIGHTS, SIDES = ("upper", "middle", "lower"), ("left", "centre", "right")


def photographs() -> Samples:
    """108 of them, in many sizes, each with a caption of its own."""
    pictures = {subject: Image.fromarray(picture()) for subject, picture in SUBJECTS.items()}
    crops = product(pictures.items(), VIEWS.items(), enumerate(HEIGHTS), enumerate(SIDES))
    return {
        f"{index:04}": (
            encoded(_crop(picture, share, row / 2, column / 2)),
            f"a {view} crop of {subject}, {height} {side}",
        )
        for index, ((subject, picture), (view, share), (row, height), (column, side)) in enumerate(crops)
    }


def _crop(picture: Image.Image, share: float, down: float, across: float) -> Image.Image:
    """A part with ``share`` of either side; 0 is the upper or left edge, 1 the other."""
    width, height = round(share * picture.width), round(share * picture.height)
    left, top = round(across * (picture.width - width)), round(down * (picture.height - height))
    return picture.crop((left, top, left + width, top + height)).reduce(2)
