"""Scores of models in the cache, by what decides them."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import torch
from pydantic import ConfigDict
from torch import nn

from archlab import versions
from archlab.cache import Kind, content_hash
from archlab.data.captioned import CaptionedImages
from archlab.errors import BadInput
from archlab.evaluation import Score
from archlab.evaluation.fact import STRICT, read_fact, to_json
from archlab.model.model import Model

MODEL_SCORES = Kind("model_scores", "scores of models: what they drew, judged")

_weights: "WeakKeyDictionary[nn.Module, str]" = WeakKeyDictionary()


@dataclass(frozen=True)
class _Scores:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    by_name: dict[str, Score]


def cached_scores(identity: str, compute: Callable[[], dict[str, Score]]) -> dict[str, Score]:
    """The scores of this identity, computed where the cache has none that can be read."""
    entry = MODEL_SCORES.entry(f"{identity}.json")
    if (path := entry.use()) is not None:
        try:
            return read_fact(_Scores, path).by_name
        except BadInput:
            pass
    found = compute()
    content = to_json(_Scores(found))
    entry.keep(lambda path: path.write_text(content, encoding="utf-8"))
    return found


def drawing_id(model: Model, steps: int, guidance: float | None, judge: str, samples: int) -> str:
    """Of what decides the scores of images.

    Args:
        judge: of the data and the networks that judge.
    """
    guidance = model.facts.guidance if guidance is None else guidance
    scheduler = {name: value for name, value in model.scheduler.config.items() if not name.startswith("_")}
    how: list[Any] = [type(model.scheduler).__name__, scheduler, steps, guidance]
    return content_hash(*_network(model), how, judge, samples, versions.DIFFUSION)


def loss_id(model: Model, data: CaptionedImages) -> str:
    """Of what decides the validation loss."""
    diffusion = model.facts.diffusion
    assert diffusion is not None
    return content_hash(*_network(model), diffusion.model_dump(mode="json"), data.id, versions.DIFFUSION)


def _network(model: Model) -> list[Any]:
    text = [model.text.id, model.text.length, versions.ENCODERS]
    code = [versions.UNET, versions.SCORES, torch.__version__, model.device.type]
    return [model.spec.id, weights_hash(model.unet), model.codec.id, text, code]


def weights_hash(network: nn.Module) -> str:
    """SHA-256 of the names and values of its weights; computed once, for weights of a model do not change."""
    if network not in _weights:
        digest = hashlib.sha256()
        for name, weight in sorted(network.state_dict().items()):
            digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}\n".encode())
            digest.update(weight.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
        _weights[network] = digest.hexdigest()
    return _weights[network]
