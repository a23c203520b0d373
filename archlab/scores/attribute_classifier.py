"""A small network that reads off an image what its caption says: the judge of adherence, and what FID sees with.

It is trained once for a data set and cached.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import fmean

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archlab import versions
from archlab.cache import Kind, content_hash
from archlab.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from archlab.data.captioned import CaptionedImages
from archlab.progress import Progress, silent
from archlab.scores.spread import spread

FEATURE_DIM = 64
LARGEST_SIDE = 32  # pixels; larger images are shrunk to be read
MOST_WORDS = 64
LEAST_ACCURACY = 0.9  # of a classifier whose readings need no remark
_HELD_OUT = 7  # every seventh image: of the proxies' training and validation images alike
_HELD_OUT_MOST = 4096
_SMALLEST_MAP, _WIDTH, _MOST_DOUBLINGS = 4, 16, 2
STEPS = 1000  # of its training
_BATCH_SIZE, _LEARNING_RATE, _SEED = 64, 3e-3, 0
CLASSIFIERS = Kind("classifiers", "attribute classifiers of data sets, which judge adherence and FID")
_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class AttributeClassifier:
    """A trained classifier, which the YAML calls ``reader``; ``name`` goes into the label of every score it gives.

    Attributes:
        accuracy: on images that it has not seen: the share of those with a value that it reads as that, the mean over
            an attribute's values, then over attributes. None where there is nothing to read.
    """

    name: str
    id: str
    network: "ClassifierNetwork"
    accuracy: float | None

    @property
    def described(self) -> str:
        """Its name, and how often it is right, where that is not nearly always."""
        if self.accuracy is None or self.accuracy >= LEAST_ACCURACY:
            return self.name
        return f"{self.name}, which is right on only {self.accuracy:.0%} of values"

    def features(self, images: Tensor) -> Tensor:
        """[N, C, H, W] in [-1, 1], any size → float32 [N, FEATURE_DIM]."""
        return _in_parts(self.network.features, images)

    def read(self, images: Tensor) -> Tensor:
        """The value of each attribute: int64 [N, A]."""
        return _in_parts(self.network.read, images)


class ClassifierNetwork(nn.Module):
    """Convolutions down to 4 × 4, a layer of features, and for each attribute a layer of its values.

    Features are normed, as some images' would be far larger than others' and decide a distance alone.
    """

    def __init__(self, channels: int, side: int, values: Sequence[int]) -> None:
        super().__init__()
        self._side = side
        layers: list[nn.Module] = []
        for halvings in range(int(math.log2(side / _SMALLEST_MAP)) + 1):
            width = _WIDTH * 2 ** min(halvings, _MOST_DOUBLINGS)
            layers += [nn.Conv2d(channels, width, 3, stride=2 if halvings else 1, padding=1), nn.SiLU()]
            channels = width
        flat = channels * _SMALLEST_MAP**2
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(flat, FEATURE_DIM), nn.LayerNorm(FEATURE_DIM))
        self.heads = nn.ModuleList(nn.Linear(FEATURE_DIM, count) for count in values)

    def features(self, images: Tensor) -> Tensor:
        """[B, C, H, W] → [B, FEATURE_DIM]"""
        size = (self._side, self._side)
        if images.shape[2:] != size:
            images = F.interpolate(images, size=size, mode="bilinear", antialias=True)
        features: Tensor = self.body(images)
        return features

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Of each attribute the logits of its values."""
        features = self.features(images)
        return tuple(head(features) for head in self.heads)

    def read(self, images: Tensor) -> Tensor:
        """The likeliest value of each attribute: int64 [B, A]."""
        return torch.stack([logits.argmax(1) for logits in self(images)], 1)


def load_classifier(data: CaptionedImages, progress: Progress = silent) -> AttributeClassifier:
    """The classifier of a data set, from the cache or trained: about half a minute on one core.

    It learns the data's attributes; where there are none, whether each of the 64 most frequent words of the captions is
    there. It learns from validation images, too: it judges networks that never see it, and should know what it judges.
    Always trained on one thread, so that every study on a machine compares in the same features. A damaged file in the
    cache is replaced; of several processes one trains and the others wait.

    Args:
        progress: called with the stage ``reference`` after every step.
    """
    side = _side(data.images.shape[-1])
    values, facts = _questions(data)
    trained_so = [FEATURE_DIM, _WIDTH, STEPS, _BATCH_SIZE, _LEARNING_RATE, _SEED, torch.__version__]
    identity = content_hash(data.id, values, side, versions.SCORES, *trained_so)
    entry = CLASSIFIERS.entry(f"{identity}.safetensors")
    network = _untrained(data.channels, side, values)
    with entry.locked():
        cached = read_checkpoint(entry.path, identity) if entry.use() else None
        if cached is None:
            with _one_thread():
                _train(network, data, facts, lambda share: progress("reference", share))
                network.eval()
                cached = made = Checkpoint(network.state_dict(), {"accuracy": _accuracy(network, data, facts)})
            entry.keep(lambda path: write_checkpoint(path, identity, made))
    network.load_state_dict(cached.tensors)
    return AttributeClassifier(f"{data.name}-reader-{side}px", identity, network.eval(), cached.facts["accuracy"])


def _questions(data: CaptionedImages) -> tuple[list[int], Tensor]:
    """How many values each attribute has, and what each image's caption says of it: int64 [N, A], -1 for nothing."""
    if data.attributes:
        return [len(values) for values in data.attributes.values()], data.facts
    words = [set(re.findall(r"\w+", caption.lower())) for caption in data.captions]
    counted = Counter(word for said in words for word in said)
    telling = sorted((-count, word) for word, count in counted.items() if count < len(words))[:MOST_WORDS]
    is_said = [[word in said for _, word in telling] for said in words]
    return [2] * len(telling), torch.tensor(is_said, dtype=torch.int64).reshape(len(words), len(telling))


def _untrained(channels: int, side: int, values: Sequence[int]) -> ClassifierNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        return ClassifierNetwork(channels, side, values)


def _train(network: ClassifierNetwork, data: CaptionedImages, facts: Tensor, progress: Callable[[float], None]) -> None:
    if not facts.shape[1]:
        return
    learnt = (~_is_held_out(len(data.images))).nonzero().flatten()
    generator = torch.Generator().manual_seed(_SEED)
    optimizer = torch.optim.AdamW(network.parameters(), lr=_LEARNING_RATE, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=STEPS)
    for step in range(STEPS):
        batch = learnt[torch.randint(len(learnt), (_BATCH_SIZE,), generator=generator)]
        answers = network(data.images[batch])
        said = facts[batch].unbind(1)
        losses = [
            F.cross_entropy(logits, values, ignore_index=-1, reduction="sum")
            for logits, values in zip(answers, said, strict=True)
        ]
        optimizer.zero_grad()
        (torch.stack(losses).sum() / _BATCH_SIZE).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()
        schedule.step()
        progress((step + 1) / STEPS)


def _accuracy(network: ClassifierNetwork, data: CaptionedImages, facts: Tensor) -> float | None:
    held_out = spread(_is_held_out(len(data.images)).nonzero().flatten(), _HELD_OUT_MOST)
    if not len(held_out) or not facts.shape[1]:
        return None
    attributes, readings = [], _in_parts(network.read, data.images[held_out])
    for read, said in zip(readings.unbind(1), facts[held_out].unbind(1), strict=True):
        right = [(read[said == value] == value).double().mean().item() for value in torch.unique(said[said >= 0])]
        attributes += [fmean(right)] if right else []
    return fmean(attributes) if attributes else None


@torch.no_grad()
def _in_parts(see: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    return torch.cat([see(part) for part in torch.split(images, _AT_ONCE)])


def _is_held_out(images: int) -> Tensor:
    return torch.arange(images) % _HELD_OUT == _HELD_OUT - 1


def _side(image_size: int) -> int:
    """The power of 2 next below, from 4 to 32."""
    return int(2 ** math.floor(math.log2(min(max(image_size, _SMALLEST_MAP), LARGEST_SIDE))))


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
