"""One file as pixels: every mode and format, turned, cropped and resized; and files that are none."""

import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from archlab.data.pixels import Unusable, decode
from tests.data.layouts import encoded

RED, HALF = (200, 40, 20), 128


def filled(mode: str, colour: object, form: str = "PNG", size: tuple[int, int] = (12, 12)) -> bytes:
    return encoded(Image.new(mode, size, colour), form)  # type: ignore[arg-type]  # whatever the mode takes


@pytest.mark.parametrize(
    ("content", "mode", "expected"),
    [
        (filled("RGB", RED), "RGB", RED),
        (filled("RGB", RED, "BMP"), "RGB", RED),
        (filled("RGB", RED, "TIFF"), "RGB", RED),
        (filled("RGB", RED, "PPM"), "RGB", RED),
        (filled("RGB", RED, "TGA"), "RGB", RED),
        (filled("RGB", RED, "JPEG2000"), "RGB", RED),
        (filled("RGB", RED, "QOI"), "RGB", RED),
        (filled("L", 77), "L", (77, 77, 77)),
        (filled("1", 1), "1", (255, 255, 255)),
        (filled("RGBA", (*RED, 0)), "RGBA", (255, 255, 255)),
        (filled("RGBA", (*RED, HALF)), "RGBA", (227, 147, 137)),  # 200·128/255 + 255·127/255
        (filled("LA", (0, HALF)), "LA", (127, 127, 127)),
        (filled("RGBA", (*RED, 0), "WEBP"), "RGBA", (255, 255, 255)),
        (filled("I;16", 65_535 * 2 // 5), "I;16", (102, 102, 102)),
        (filled("I", 32_896, "TIFF"), "I", (128, 128, 128)),
        (filled("CMYK", (0, 255, 255, 0), "TIFF"), "CMYK", (255, 0, 0)),
        (encoded(Image.new("RGB", (12, 12), RED).quantize(4)), "P", RED),
        (encoded(Image.new("RGB", (12, 12), RED), "GIF"), "P", RED),
        (encoded(Image.new("P", (12, 12), 0), transparency=0), "P", (255, 255, 255)),
    ],
)
def test_every_mode_becomes_rgb(content: bytes, mode: str, expected: tuple[int, ...]) -> None:
    square = decode(content, 6)
    assert square.mode == mode
    assert square.pixels.dtype == np.uint8
    assert abs(square.pixels.reshape(3, -1).T.astype(int) - expected).max() <= 1


def test_a_cmyk_jpeg_is_not_inverted() -> None:
    pixels = decode(filled("CMYK", (0, 255, 255, 0), "JPEG"), 6).pixels.astype(int)
    assert abs(pixels[:, 3, 3] - (254, 0, 0)).max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_exif_says(orientation: int) -> None:
    """All eight ways to hold a camera, against the table of the EXIF standard (tag 0x0112)."""
    upright = np.zeros((8, 12, 3), np.uint8)
    upright[:4, :6], upright[:4, 6:], upright[4:, :6] = 250, 170, 90
    first_row_and_column = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: upright.transpose(1, 0, 2)[::-1],
        7: upright.transpose(1, 0, 2)[::-1, ::-1],
        8: upright.transpose(1, 0, 2)[:, ::-1],
    }
    stored = Image.fromarray(np.ascontiguousarray(first_row_and_column[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    square = decode(encoded(stored, exif=exif), 8)
    np.testing.assert_array_equal(square.pixels.transpose(1, 2, 0), upright[:, 2:10])
    assert (square.width, square.height) == stored.size


@pytest.mark.parametrize("size", [(30, 20), (20, 30), (31, 20)])
def test_the_middle_is_kept_at_its_own_size(size: tuple[int, int]) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    left, top = (size[0] - 20) // 2, (size[1] - 20) // 2
    pixels = decode(encoded(Image.fromarray(levels)), 20).pixels
    np.testing.assert_array_equal(pixels.transpose(1, 2, 0), levels[top : top + 20, left : left + 20])


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_fine_stripes_become_grey_and_no_others(form: str) -> None:
    stripes = np.zeros((512, 512), np.uint8)
    stripes[:, ::2] = 255
    pixels = decode(encoded(Image.fromarray(stripes), form), 32).pixels
    assert abs(pixels.astype(int) - 128).max() <= 4


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it has so many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "broken image"),
        (b"no image", "broken image"),
        (filled("RGB", RED)[:50], "broken image"),
        (filled("RGB", RED, "JPEG", (200, 200))[:700], "broken image"),
        (bomb(9_000, 9_000), "image too large"),
        (bomb(60_000, 60_000), "image too large"),
        (filled("F", 0.5, "TIFF"), "colours without a known range"),
        (filled("I", -4, "TIFF"), "colours without a known range"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "broken image"),
        (filled("RGB", RED, "EPS"), "broken image"),
    ],
)
def test_what_is_no_usable_image_has_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(Unusable, match=f"^{reason}$"):
        decode(content, 8)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
def test_damage_anywhere_is_either_a_picture_or_a_reason() -> None:
    random = np.random.default_rng(0)
    picture = Image.fromarray(random.integers(0, 256, (24, 24, 3), dtype=np.uint8))
    for form in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "TGA", "JPEG2000", "SGI", "PCX", "DDS"):
        whole = np.frombuffer(encoded(picture, form), np.uint8)
        for _ in range(60):
            damaged = whole.copy()
            damaged[random.integers(0, min(len(whole), 300), 4)] = random.integers(0, 256, 4)
            with suppress(Unusable):
                assert decode(damaged.tobytes(), 8).pixels.shape == (3, 8, 8)
