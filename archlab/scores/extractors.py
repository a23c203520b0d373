"""Features that images are compared in: of the data set's attribute classifier, or of a network from a local path."""

from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from archlab.data.captioned import CaptionedImages
from archlab.encoders.local_models import as_bad_input, hash_of_files, load_model, model_config
from archlab.errors import BadInput, shown
from archlab.progress import Progress
from archlab.scores.attribute_classifier import load_classifier
from archlab.scores.inception import Inception

_SETTING = "extractor"
_AT_ONCE = 32


class Extractor(Protocol):
    """Images as features.

    Attributes:
        name: goes into labels.
        id: of what decides the features.
    """

    @property
    def name(self) -> str: ...

    @property
    def id(self) -> str: ...

    def features(self, images: Tensor) -> Tensor:
        """[N, C, H, W] in [-1, 1], any size → float32 [N, D]."""


def load_extractor(source: str, data: CaptionedImages, device: torch.device, progress: Progress) -> Extractor:
    """The extractor that ``extractor`` names.

    Args:
        source: ``reader``, the file of an Inception v3, or a transformers folder with CLIP or DINOv2.
        device: on which a network from a path runs.

    Raises:
        BadInput: there is no such network at that path.
    """
    if source == "reader":
        return load_classifier(data, progress)
    if Path(source).is_dir():
        return VisionTransformer(source, device)
    return Inception(source, device)


class Sight(NamedTuple):
    """How a network wants its images: their side in pixels, and each channel's mean and deviation on [0, 1]."""

    side: int
    mean: list[float]
    deviation: list[float]

    def of(self, images: Tensor) -> Tensor:
        """[B, 1 or 3, H, W] in [-1, 1] → [B, 3, side, side], bicubic as Pillow does it."""
        coloured = (images / 2 + 0.5).expand(-1, 3, -1, -1)
        resized = F.interpolate(coloured, size=(self.side, self.side), mode="bicubic", antialias=True).clamp(0, 1)
        shift, scale = (torch.tensor(values, device=images.device)[:, None, None] for values in self[1:])
        return (resized - shift) / scale


_CLIP_MEAN, _CLIP_DEVIATION = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
_IMAGENET_MEAN, _IMAGENET_DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
_DINO_PATCHES = 16  # along a side: what its published evaluations use, of the many it takes


class VisionTransformer:
    """CLIP's projected image embedding (as in arXiv 2203.06026) or DINOv2's class token (as in arXiv 2306.04675).

    Args:
        folder: that transformers saved; of CLIP, alone or with its text encoder.

    Raises:
        BadInput: neither is there.
    """

    def __init__(self, folder: str, device: torch.device) -> None:
        self._folder, self._device = Path(folder), device
        config = model_config(_SETTING, self._folder)
        kinds = {"clip": _clip, "clip_vision_model": _clip, "dinov2": _dino}
        kind = config.get("model_type")
        if not isinstance(kind, str) or kind not in kinds:
            valid = "CLIP (clip, clip_vision_model) or DINOv2 (dinov2)"
            raise BadInput(f"{_SETTING}: {folder}: the config is of {shown(kind)}; {valid} is needed")
        with as_bad_input(f"{_SETTING}: {folder}: not a config of {kind}"):
            self._class, self._output, self._sight = kinds[kind](config)
        self.name = self._folder.resolve().name

    @cached_property
    def id(self) -> str:
        files = hash_of_files(self._folder.glob("config.json"), self._folder.glob("model*.safetensors"))
        return f"{files}-{self._device.type}"

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        parts = [self._sight.of(part.to(self._device)) for part in torch.split(images, _AT_ONCE)]
        return torch.cat([getattr(self._model(part), self._output).cpu() for part in parts])

    @cached_property
    def _model(self) -> Any:
        return load_model(_SETTING, self._folder, self._class, "model").to(self._device)


def clip_sight(config: dict[str, Any]) -> Sight:
    """How CLIP sees, from its config or that of its image encoder."""
    side = config.get("vision_config", config).get("image_size", 224)
    return Sight(side, _CLIP_MEAN, _CLIP_DEVIATION)


def _clip(config: dict[str, Any]) -> tuple[Any, str, Sight]:
    from transformers import CLIPVisionModelWithProjection

    return CLIPVisionModelWithProjection, "image_embeds", clip_sight(config)


def _dino(config: dict[str, Any]) -> tuple[Any, str, Sight]:
    from transformers import Dinov2Model

    side = _DINO_PATCHES * config.get("patch_size", 14)
    return Dinov2Model, "pooler_output", Sight(side, _IMAGENET_MEAN, _IMAGENET_DEVIATION)
