"""Features that FID compares: the penultimate layer of a small digit classifier, trained once and cached."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from archlab.files import cache_folder
from archlab.proxy.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from archlab.proxy.data import CaptionedImages, load_data

FEATURE_DIM = 32
IMAGE_SIZE = 8
_VERSION = 1  # of what is trained and how: raise it when either changes
_EPOCHS, _BATCH_SIZE, _LEARNING_RATE, _SEED = 20, 64, 3e-3, 0


@dataclass(frozen=True, eq=False)
class FeatureNetwork:
    """A trained classifier; ``name`` goes into the label of every score it gives.

    Attributes:
        accuracy: on the validation split, which it has not seen.
    """

    name: str
    module: "Classifier"
    accuracy: float

    @torch.no_grad()
    def features(self, images: Tensor) -> NDArray[np.float32]:
        """[N, C, H, W] in [-1, 1], any size → [N, FEATURE_DIM]."""
        array: NDArray[np.float32] = self.module.features(_resized(images)).numpy()
        return array

    @torch.no_grad()
    def classify(self, images: Tensor) -> Tensor:
        """The class of each image, an index into the data's prompts: [N]."""
        out: Tensor = self.module(_resized(images)).argmax(1)
        return out


class Classifier(nn.Module):
    """Two convolutions, a layer of features, a layer of classes."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, 16, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(32 * (IMAGE_SIZE // 2) ** 2, FEATURE_DIM),
            nn.SiLU(),
        )
        self.head = nn.Linear(FEATURE_DIM, classes)

    def features(self, images: Tensor) -> Tensor:
        """[N, C, 8, 8] → [N, FEATURE_DIM]"""
        out: Tensor = self.body(images)
        return out

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(images))
        return out


@lru_cache(maxsize=4)
def feature_network(data_name: str) -> FeatureNetwork:
    """The feature network of a data set: from the cache, or trained in a few seconds.

    Always trained on one thread and at 8×8, so that every study compares in the same features. A damaged
    cache file is replaced.
    """
    data = load_data(data_name, IMAGE_SIZE)
    name = f"{data_name}-cnn"
    settings = [_VERSION, FEATURE_DIM, _EPOCHS, _BATCH_SIZE, _LEARNING_RATE, _SEED, torch.__version__]
    key = hashlib.sha256(json.dumps([data.id, *settings]).encode()).hexdigest()[:12]
    path = cache_folder("features") / f"{name}-{key}.safetensors"
    network, known = _untrained(data), read_checkpoint(path, key)
    if known is None:
        with _one_thread():
            trained = _trained(data)
        known = Checkpoint(trained.state_dict(), {"accuracy": _accuracy(trained, data)})
        write_checkpoint(path, key, known)
    network.load_state_dict(known.tensors)
    return FeatureNetwork(name=name, module=network.eval(), accuracy=known.facts["accuracy"])


def _untrained(data: CaptionedImages) -> Classifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        return Classifier(data.channels, len(data.prompts))


def _trained(data: CaptionedImages) -> Classifier:
    network = _untrained(data)
    generator = torch.Generator().manual_seed(_SEED)
    images, labels = data.images[data.train], data.labels[data.train]
    optimizer = torch.optim.AdamW(network.parameters(), lr=_LEARNING_RATE)
    for _ in range(_EPOCHS):
        for batch in torch.split(torch.randperm(len(images), generator=generator), _BATCH_SIZE):
            loss = F.cross_entropy(network(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
    return network


def _accuracy(network: Classifier, data: CaptionedImages) -> float:
    with torch.no_grad():
        guesses = network(data.images[data.validation]).argmax(1)
    return float((guesses == data.labels[data.validation]).double().mean())


def _resized(images: Tensor) -> Tensor:
    if images.shape[-1] == IMAGE_SIZE:
        return images
    return F.interpolate(images, size=(IMAGE_SIZE, IMAGE_SIZE), mode="bilinear", antialias=True)


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
