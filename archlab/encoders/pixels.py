"""The codec of a proxy that works on the pixels themselves."""

from dataclasses import dataclass

from torch import Tensor

from archlab.data.captioned import CaptionedImages
from archlab.encoders.contracts import Rows
from archlab.progress import ShareDone, silent_share


@dataclass(frozen=True)
class Pixels:
    """Images of ``channels`` as they are; what is drawn is clipped to the range of pixels."""

    channels: int
    name: str = "pixels"
    id: str = "pixels"

    def image_size(self, sample_size: int) -> int:
        return sample_size

    def encode(self, images: Tensor) -> Tensor:
        return images

    def decode(self, latents: Tensor) -> Tensor:
        return latents.clamp(-1, 1)

    def rows(self, data: CaptionedImages, progress: ShareDone = silent_share) -> Rows:
        return data.images
