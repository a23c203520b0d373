"""One image file as a square of RGB pixels. The file may be anybody's: only plain image formats are decoded."""

import io
import os
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from archlab.data.budget import Budget
from archlab.data.left_out import Unusable

# Of Pillow's those of plain pictures, the vaguest header last: no programs (EPS), layers (PSD) or sets (ICO).
_FORMATS = (
    "JPEG",
    "PNG",
    "WEBP",
    "BMP",
    "GIF",
    "TIFF",
    "AVIF",
    "JPEG2000",
    "DIB",
    "DDS",
    "PCX",
    "PPM",
    "QOI",
    "SGI",
    "TGA",
)
BROKEN, TOO_LARGE, UNKNOWN_COLOURS = "broken image", "image too large", "colours without a known range"
LARGEST_FILE = 256 * 2**20  # bytes
LARGEST_IMAGE = 2**26  # pixels
_PIXELS = Budget(LARGEST_IMAGE)  # decoded at a time, some ten bytes each
_WHITE = (255, 255, 255, 255)


class Square(NamedTuple):
    """A decoded image.

    Attributes:
        pixels: uint8 [3, S, S].
        width, height, mode: of the file.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int
    mode: str


def decode(content: bytes, image_size: int) -> Square:
    """Turned as EXIF says, alpha over white, cropped to the square in the middle, resized (Lanczos) to ``image_size``.

    Of an animation the first picture; 16 bits are scaled to 8; colour profiles are not applied.

    Raises:
        Unusable: it is no whole image of these formats, or too large.
    """
    try:
        with Image.open(io.BytesIO(content), formats=_formats()) as image:
            width, height, mode = *image.size, image.mode
            if width * height > LARGEST_IMAGE:
                raise Unusable(TOO_LARGE)
            image.draft(None, (2 * image_size, 2 * image_size))  # a large JPEG is decoded at a fraction of its size
            with _PIXELS.spent(image.width * image.height):
                square = _square(_in_rgb(ImageOps.exif_transpose(image)), image_size)
    except Unusable:
        raise
    except (Image.DecompressionBombError, MemoryError):
        raise Unusable(TOO_LARGE) from None
    except Exception:  # Pillow's decoders raise nearly anything on damaged data
        raise Unusable(BROKEN) from None
    return Square(np.asarray(square).transpose(2, 0, 1), width, height, mode)


def is_image(name: str) -> bool:
    """Whether the name is one of an image that can be decoded."""
    return os.path.splitext(name)[1].lower() in _suffixes()


@cache
def _formats() -> tuple[str, ...]:
    """Those that Pillow has here."""
    Image.init()
    return tuple(form for form in _FORMATS if form in Image.OPEN)


@cache
def _suffixes() -> frozenset[str]:
    forms = {*_formats(), "MPO"}  # JPEG with a second picture
    return frozenset(suffix for suffix, form in Image.registered_extensions().items() if form in forms)


def _in_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return _from_16_bits(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, _WHITE), image).convert("RGB")
    return image.convert("RGB")


def _from_16_bits(image: Image.Image) -> Image.Image:
    """Grey levels 0 … 65,535, whatever type holds them.

    Raises:
        Unusable: there are others.
    """
    levels: NDArray[Any] = np.asarray(image)
    if image.mode == "F" or levels.min() < 0 or levels.max() > 65_535:
        raise Unusable(UNKNOWN_COLOURS)
    return Image.fromarray(np.round(levels / 257).astype(np.uint8)).convert("RGB")


def _square(image: Image.Image, image_size: int) -> Image.Image:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    return image.resize((image_size, image_size), Image.Resampling.LANCZOS, box=box)
