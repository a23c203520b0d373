"""Pictures that a model drew, as a notebook shows them."""

import base64
import io
from collections.abc import Sequence
from html import escape

from PIL import Image

_SIDE = 128  # pixels that a small picture is shown at


class Pictures(list[Image.Image]):
    """A list of pictures; a notebook shows them side by side, each over what it was drawn from.

    Args:
        captions: one for each.
    """

    def __init__(self, pictures: Sequence[Image.Image], captions: Sequence[str]) -> None:
        super().__init__(pictures)
        self.captions = list(captions)

    def _repr_html_(self) -> str:
        shown = zip(self, self.captions, strict=False)
        figures = "".join(_figure(picture, caption) for picture, caption in shown)
        return f'<div style="display:flex;flex-wrap:wrap;gap:12px">{figures}</div>'


def _figure(picture: Image.Image, caption: str) -> str:
    file = io.BytesIO()
    picture.save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    is_small = picture.width < _SIDE
    size = f'width="{_SIDE}" style="image-rendering:pixelated"' if is_small else f'width="{picture.width}"'
    text = escape(caption)
    return (
        f'<figure style="margin:0"><img {size} src="data:image/png;base64,{data}" alt="{text}">'
        f"<figcaption>{text}</figcaption></figure>"
    )
