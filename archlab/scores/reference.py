"""Real images as an extractor sees them: what drawn images are compared with."""

from dataclasses import dataclass, field
from functools import lru_cache

import torch

from archlab import versions
from archlab.cache import Kind, content_hash
from archlab.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from archlab.data.captioned import CaptionedImages
from archlab.progress import Progress
from archlab.scores.extractors import Extractor, load_extractor
from archlab.scores.real_features import RealFeatures
from archlab.scores.spread import spread

REAL_IMAGES = 4096  # at most, evenly spread over the data set
_AT_ONCE = 256
FEATURES = Kind("features", "features of real images, for FID and the like")


@dataclass(frozen=True)
class _Request:
    data: CaptionedImages
    extractor: str
    device: torch.device
    most: int
    progress: Progress = field(compare=False)


def compared_with(
    data: CaptionedImages, extractor: str, device: torch.device, progress: Progress, most: int = REAL_IMAGES
) -> tuple[Extractor, RealFeatures]:
    """The extractor that the settings name, and real images by its features; once in a process, and cached.

    Args:
        most: at most so many real images.

    Raises:
        BadInput: see `load_extractor`.
    """
    return _compared_with(_Request(data, extractor, device, most, progress))


@lru_cache(maxsize=2)
def _compared_with(request: _Request) -> tuple[Extractor, RealFeatures]:
    extractor = load_extractor(request.extractor, request.data, request.device, request.progress)
    identity = content_hash(extractor.id, request.data.id, request.most, versions.SCORES)
    entry = FEATURES.entry(f"{identity}.safetensors")
    cached = read_checkpoint(entry.path, identity) if entry.use() else None
    if cached is None:
        chosen, parts = spread(torch.arange(len(request.data.images)), request.most), []
        for part in torch.split(chosen, _AT_ONCE):
            parts.append(extractor.features(request.data.images[part]))
            request.progress("reference", len(parts) * _AT_ONCE / (len(chosen) + _AT_ONCE))
        cached = made = Checkpoint({"features": torch.cat(parts)}, {})
        entry.keep(lambda path: write_checkpoint(path, identity, made))
    return extractor, RealFeatures(cached.tensors["features"].double().numpy())
