"""A picture's edges as a picture."""

from pathlib import Path

from PIL import Image

from archlab.data.edges import edges
from archlab.files import atomic_path
from archlab.model.controls.load import read_picture


def write_edges(picture: Path, out: Path, size: int, sigma: float) -> None:
    """Write the edges of a square picture as a PNG, white on black.

    Args:
        size: side of the picture that is written, to which this one is resized first.
        sigma: see `archlab.data.edges.edges`.

    Raises:
        BadInput: there is no picture, or it is no square.
    """
    found = edges(2 * read_picture(picture, size)[None] - 1, sigma)[0, 0]
    with atomic_path(out) as temporary:
        Image.fromarray((found * 255).byte().numpy()).save(temporary, format="PNG")
