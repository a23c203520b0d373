"""What every encoder of captions and of images can do."""

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from archlab.data.captioned import CaptionedImages
from archlab.progress import ShareDone, silent_share

NULL_PROMPT = ""  # what guidance compares with


class Rows(Protocol):
    """A table of tensors, in memory or on disk: a `Tensor` is one, too."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, ...)"""

    def __len__(self) -> int: ...

    def __getitem__(self, indices: Tensor, /) -> Tensor:
        """Those rows: int64 [B] → float32 [B, ...]."""


class TextEncoder(Protocol):
    """Captions as a UNet's context.

    Attributes:
        id: of what decides its output.
        length, dim: of a context.
    """

    @property
    def name(self) -> str: ...

    @property
    def id(self) -> str: ...

    @property
    def length(self) -> int: ...

    @property
    def dim(self) -> int: ...

    def encode(self, captions: Sequence[str]) -> Tensor:
        """float32 [N, length, dim]; captions that are too long are cut."""

    def remarks(self, prompts: Sequence[str]) -> list[str]:
        """What a person should know who draws with these prompts: one line for each that is cut, and for each word that
        no caption had, where that is known."""

    def rows(self, captions: Sequence[str], progress: ShareDone = silent_share) -> Rows:
        """The same for many, as [N, length, dim]; what is costly is done once and cached.

        Raises:
            BadInput: the encoder gives infinite or NaN values.
        """


class Codec(Protocol):
    """Images as the latents in which a proxy works, and back.

    Attributes:
        id: of what decides its output.
        channels: of a latent.
    """

    @property
    def name(self) -> str: ...

    @property
    def id(self) -> str: ...

    @property
    def channels(self) -> int: ...

    def image_size(self, sample_size: int) -> int:
        """Side of the images whose latents have the side ``sample_size``."""

    def encode(self, images: Tensor) -> Tensor:
        """float32 [B, C, H, W] in [-1, 1] → latents, float32 [B, channels, H', W'].

        Raises:
            BadInput: images of this shape cannot be encoded.
        """

    def decode(self, latents: Tensor) -> Tensor:
        """The inverse; float32 in [-1, 1]."""

    def rows(self, data: CaptionedImages, progress: ShareDone = silent_share) -> Rows:
        """Latents of all images, as [N, channels, H', W']; what is costly is done once and cached.

        Raises:
            BadInput: see `encode`; or the codec gives infinite or NaN values.
        """
