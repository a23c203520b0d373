"""How well images fit their prompts in CLIP's eyes."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from archlab.encoders.local_models import as_bad_input, hash_of_files, load_model, model_config, quiet, without_marks
from archlab.errors import BadInput, shown
from archlab.scores.extractors import clip_sight

_SETTING = "clip"


class ClipScore:
    """Cosine of CLIP's embeddings of image and prompt (Hessel et al., arXiv 2104.08718, without their factor and cut).

    Args:
        folder: of a whole CLIP, image and text encoder with its tokenizer, that transformers saved.
        at_once: images that are in memory at once.

    Raises:
        BadInput: there is none.
    """

    def __init__(self, folder: str, device: torch.device, at_once: int = 32) -> None:
        from transformers import CLIPModel, CLIPTokenizer

        self._folder, self._device, self._at_once = Path(folder), device, at_once
        config = model_config(_SETTING, self._folder)
        if config.get("model_type") != "clip":
            kind = config.get("model_type")
            raise BadInput(f"{_SETTING}: {folder}: the config is of {shown(kind)}; a whole CLIP (clip) is needed")
        self.name = self._folder.resolve().name
        with as_bad_input(f"{_SETTING}: {folder}: not a config of CLIP"):
            self._sight = clip_sight(config)
        wrong = f"{_SETTING}: {folder}: the tokenizer cannot be read"
        with quiet(CLIPTokenizer), as_bad_input(wrong), without_marks(self._folder) as readable:
            self._tokenizer = CLIPTokenizer.from_pretrained(readable, local_files_only=True)
            self._tokenizer(["a caption"], padding=True, truncation=True)
        self._model: Any = load_model(_SETTING, self._folder, CLIPModel, "model").to(device)

    @cached_property
    def id(self) -> str:
        """Of what decides its scores."""
        names = ("config.json", "model*.safetensors", "tokenizer*.json", "vocab.json", "merges.txt")
        return f"{hash_of_files(*(self._folder.glob(name) for name in names))}-{self._device.type}"

    @torch.no_grad()
    def __call__(self, images: Tensor, prompts: Sequence[str]) -> Tensor:
        """Of each image [N, C, H, W] in [-1, 1] with its prompt: float32 [N]."""
        parts = []
        for start in range(0, len(images), self._at_once):
            span = slice(start, start + self._at_once)
            tokens = self._tokenizer(list(prompts[span]), padding=True, truncation=True, return_tensors="pt")
            seen = self._model(
                input_ids=tokens["input_ids"].to(self._device),
                attention_mask=tokens["attention_mask"].to(self._device),
                pixel_values=self._sight.of(images[span].to(self._device)),
            )
            parts.append((seen.image_embeds * seen.text_embeds).sum(1).cpu())
        return torch.cat(parts)
