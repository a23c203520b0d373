"""What a network is trained on: data as latents and contexts, encoded once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from archlab import versions
from archlab.cache import content_hash
from archlab.compute import ComputeSettings, device_of
from archlab.data.captioned import CaptionedImages
from archlab.data.load import load_data
from archlab.data.settings import DataSettings
from archlab.encoders.clip import Clip
from archlab.encoders.contracts import NULL_PROMPT, Codec, Rows, TextEncoder
from archlab.encoders.pixels import Pixels
from archlab.encoders.settings import EncoderSettings
from archlab.encoders.vae import Vae
from archlab.encoders.words import Words
from archlab.progress import Progress, silent


class DataWithEncoders(NamedTuple):
    """A data set and its encoders; nothing is encoded yet."""

    data: CaptionedImages
    codec: Codec
    text: TextEncoder


@dataclass(frozen=True, eq=False)
class Prepared:
    """A data set, encoded.

    Attributes:
        latents: of each image: [N, C, H, W].
        contexts: of the empty prompt, then of each distinct caption: [1 + U, L, D].
        row_of_prompt: where in ``contexts`` each of them is.
        id: hash of data and encoders.
    """

    data: CaptionedImages
    codec: Codec
    text: TextEncoder
    latents: Rows
    contexts: Rows
    row_of_prompt: dict[str, int]
    id: str

    @property
    def sample_size(self) -> int:
        """Side of a latent."""
        return self.latents.shape[-1]

    @property
    def null_context(self) -> Tensor:
        """The empty prompt's: float32 [L, D]."""
        return self.prompt_context([NULL_PROMPT])[0]

    def context(self, indices: Tensor) -> Tensor:
        """The captions of these images: int64 [B] → float32 [B, L, D]."""
        return self.contexts[self._row_of_image[indices]]

    def prompt_context(self, prompts: Sequence[str]) -> Tensor:
        """Any prompts: float32 [N, L, D]; no encoder is needed where all are captions of the data."""
        if all(prompt in self.row_of_prompt for prompt in prompts):
            return self.contexts[torch.tensor([self.row_of_prompt[prompt] for prompt in prompts])]
        return self.text.encode(prompts)

    @cached_property
    def _row_of_image(self) -> Tensor:
        return torch.tensor([self.row_of_prompt[caption] for caption in self.data.captions])


@dataclass(frozen=True)
class _Request:
    """What decides what is prepared, and who listens meanwhile."""

    data: str
    vae: str | None
    text: str | None
    sample_size: int
    device: torch.device
    full_context: bool
    progress: Progress = field(compare=False)


def prepare(
    data: DataSettings,
    encoders: EncoderSettings,
    sample_size: int,
    compute: ComputeSettings,
    progress: Progress = silent,
    *,
    full_context: bool = False,
) -> Prepared:
    """The data, encoded: once in a process, and from the cache where an earlier one has done it.

    Args:
        sample_size: side of the latents.
        full_context: contexts of CLIP have its full length, as in diffusers' pipelines, however short captions are.
        progress: called with the stage ``images`` while files are decoded, and ``encode`` while an encoder has to run.

    Raises:
        BadInput: there is no such data, or an encoder cannot be read or does not fit it.
    """
    return _prepared(_request(data, encoders, sample_size, compute, progress, full_context))


def encode_data(data: CaptionedImages, codec: Codec, text: TextEncoder, progress: Progress = silent) -> Prepared:
    """The data, encoded by these encoders; what is costly is done once and cached.

    Args:
        progress: called with the stage ``encode`` while an encoder has to run.

    Raises:
        BadInput: an encoder does not fit the data.
    """
    prompts = list(dict.fromkeys([NULL_PROMPT, *data.prompts]))
    images_to_encode = 0 if isinstance(codec, Pixels) else len(data.images)
    prompts_to_encode = 0 if isinstance(text, Words) else len(prompts)
    share_of_images = images_to_encode / max(1, images_to_encode + prompts_to_encode)
    latents = codec.rows(data, lambda share: progress("encode", share_of_images * share))
    contexts = text.rows(prompts, lambda share: progress("encode", share_of_images + (1 - share_of_images) * share))
    return Prepared(
        data=data,
        codec=codec,
        text=text,
        latents=latents,
        contexts=contexts,
        row_of_prompt={prompt: row for row, prompt in enumerate(prompts)},
        id=content_hash(data.id, codec.id, text.id, versions.ENCODERS),
    )


def data_with_encoders(
    data: DataSettings,
    encoders: EncoderSettings,
    sample_size: int,
    compute: ComputeSettings,
    *,
    full_context: bool = False,
) -> DataWithEncoders:
    """The data set at the size that the codec asks for, and the encoders.

    Raises:
        BadInput: see `prepare`.
    """
    return _data_with_encoders(_request(data, encoders, sample_size, compute, silent, full_context))


def _request(
    data: DataSettings,
    encoders: EncoderSettings,
    sample_size: int,
    compute: ComputeSettings,
    progress: Progress,
    full_context: bool,
) -> _Request:
    return _Request(data.data, encoders.vae, encoders.text, sample_size, device_of(compute), full_context, progress)


@lru_cache(maxsize=4)
def _data_with_encoders(request: _Request) -> DataWithEncoders:
    vae = None if request.vae is None else Vae(request.vae, request.device)
    image_size = request.sample_size if vae is None else vae.image_size(request.sample_size)
    data = load_data(request.data, image_size, request.progress)
    captions = None if request.full_context else data.prompts
    text = Words.of(data.prompts) if request.text is None else Clip(request.text, captions, request.device)
    return DataWithEncoders(data, vae or Pixels(data.channels), text)


@lru_cache(maxsize=4)
def _prepared(request: _Request) -> Prepared:
    return encode_data(*_data_with_encoders(request), request.progress)
