"""CLIP's text encoder from a local folder: captions as Stable Diffusion reads them."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from archlab.cache import content_hash
from archlab.encoders.local_models import (
    as_bad_input,
    hash_of_files,
    load_model,
    model_config,
    model_folder,
    quiet,
    without_marks,
)
from archlab.encoders.shards import Shards, encoded
from archlab.encoders.words import context_length
from archlab.errors import BadInput, shown
from archlab.progress import ShareDone, silent_share

_CPU = torch.device("cpu")
_SETTING = "text"
_KINDS = ("clip", "clip_text_model")
_TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"))
_CAPTIONS_AT_ONCE = 64


class Clip:
    """The last hidden state, as Stable Diffusion 1.5 takes it: padding is encoded, and attended to, too.

    It is cut to what the longest of ``captions`` needs, unless they are left open. Attention in CLIP looks back only,
    so what stays is what CLIP gives at its full length.

    Attributes:
        tokenizer: transformers' ``CLIPTokenizer``.

    Args:
        folder: of the model, alone or with its image encoder, or of a pipeline with its ``text_encoder``; the
            tokenizer is in the model's folder or in ``tokenizer`` beside it.
        device: on which it runs.

    Raises:
        BadInput: there is no such model, no tokenizer, or they do not belong together.
    """

    def __init__(self, folder: str, captions: Sequence[str] | None, device: torch.device = _CPU) -> None:
        self._folder = model_folder(_SETTING, folder, "text_encoder")
        self._device = device
        self._tokenizer_folder = _tokenizer_folder(self._folder)
        config = _text_config(self._folder)
        self.tokenizer = _tokenizer(self._tokenizer_folder, config)
        with as_bad_input(f"{_SETTING}: {self._tokenizer_folder}: the tokenizer cannot read the captions"):
            limit = min(self.tokenizer.model_max_length, config.max_position_embeddings)
            longest = limit if captions is None else self._longest(captions, limit)
        self.name = self._folder.name
        self.dim: int = config.hidden_size
        self.length: int = context_length(longest, limit)

    def _longest(self, captions: Sequence[str], limit: int) -> int:
        """Tokens of the longest, at most the limit; a few are in memory at a time."""
        longest = 2
        for start in range(0, len(captions), _CAPTIONS_AT_ONCE):
            part = list(captions[start : start + _CAPTIONS_AT_ONCE])
            longest = max(longest, *map(len, self.tokenizer(part, truncation=True, max_length=limit)["input_ids"]))
        return longest

    @cached_property
    def id(self) -> str:
        names = {name for names in _TOKENIZERS for name in names}
        tokenizer = (self._tokenizer_folder / name for name in names)
        files = hash_of_files(
            self._folder.glob("config.json"),
            self._folder.glob("model*.safetensors"),
            (path for path in tokenizer if path.is_file()),
        )
        return f"{files}-{self._device.type}"

    @torch.no_grad()
    def encode(self, captions: Sequence[str]) -> Tensor:
        model = self.model
        with as_bad_input(f"{_SETTING}: {self._folder}: captions cannot be encoded"):
            tokens = self.tokenizer(
                list(captions), padding="max_length", max_length=self.length, truncation=True, return_tensors="pt"
            )
            hidden: Tensor = model(tokens["input_ids"].to(self._device)).last_hidden_state
        return hidden.cpu()

    def remarks(self, prompts: Sequence[str]) -> list[str]:
        lengths = [len(self.tokenizer(prompt, verbose=False)["input_ids"]) for prompt in prompts]
        return [
            f"{shown(prompt)}: {length} tokens are more than the {self.length} that are read; the rest is left out"
            for prompt, length in zip(prompts, lengths, strict=True)
            if length > self.length
        ]

    def save(self, folder: Path) -> None:
        """Write ``text_encoder`` and ``tokenizer`` into a pipeline's folder, as transformers reads them."""
        self.model.save_pretrained(folder / "text_encoder")
        self.tokenizer.save_pretrained(folder / "tokenizer")

    def rows(self, captions: Sequence[str], progress: ShareDone = silent_share) -> Shards:
        key = {
            "encoder": "CLIPTextModel",
            "weights": self.id,
            "length": self.length,
            "captions": content_hash(list(captions)),
        }
        return encoded(
            "captions",
            key,
            len(captions),
            lambda span: self.encode(captions[span]),
            batch=_CAPTIONS_AT_ONCE,
            source=f"{_SETTING}: {self._folder}",
            progress=progress,
        )

    @cached_property
    def model(self) -> Any:
        """transformers' ``CLIPTextModel``."""
        from transformers import CLIPTextModel

        return load_model(_SETTING, self._folder, CLIPTextModel, "model").to(self._device)


def _tokenizer_folder(folder: Path) -> Path:
    for candidate in (folder, folder.parent / "tokenizer"):
        if any(all((candidate / name).is_file() for name in names) for names in _TOKENIZERS):
            return candidate
    raise BadInput(
        f"{_SETTING}: {folder}: no tokenizer: neither tokenizer.json nor vocab.json with merges.txt is there, nor in "
        "the folder tokenizer beside it"
    )


def _text_config(folder: Path) -> Any:
    from transformers import CLIPTextConfig

    config = model_config(_SETTING, folder)
    kind = config.get("model_type")
    if kind not in _KINDS:
        raise BadInput(f"{_SETTING}: {folder}: the config of no CLIP but of {shown(kind)}; valid: {', '.join(_KINDS)}")
    wrong = f"{_SETTING}: {folder}: not a config of CLIP"
    with quiet(CLIPTextConfig), as_bad_input(wrong), without_marks(folder) as readable:
        return CLIPTextConfig.from_pretrained(readable, local_files_only=True)


def _tokenizer(folder: Path, config: Any) -> Any:
    from transformers import CLIPTokenizer

    wrong = f"{_SETTING}: {folder}: the tokenizer cannot be read"
    with quiet(CLIPTokenizer), as_bad_input(wrong), without_marks(folder) as readable:
        tokenizer = CLIPTokenizer.from_pretrained(readable, local_files_only=True)
    if len(tokenizer) > config.vocab_size:
        raise BadInput(
            f"{_SETTING}: {folder}: the tokenizer knows {len(tokenizer)} tokens and the model {config.vocab_size}; "
            "they do not belong together"
        )
    return tokenizer
