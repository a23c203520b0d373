"""A text encoder that needs no weights: every word has a fixed random vector, every place a sinusoid."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from archlab.errors import shown
from archlab.progress import ShareDone, silent_share
from archlab.unet.time_embedding import sinusoids

CONTEXT_DIM = 64
MAX_LENGTH = 77  # CLIP's
START, END, PAD = "<start>", "<end>", "<pad>"  # a word has no brackets, so none is equal to these
_LENGTH_STEP = 8
WORD_SCALE, PLACE_SCALE = 3.0, 0.3  # with 1 and 1 samples hardly follow the prompt after 150 steps


def context_length(longest: int, limit: int = MAX_LENGTH) -> int:
    """The length that holds ``longest`` tokens: a multiple of 8, or the limit."""
    return min(limit, -(-longest // _LENGTH_STEP) * _LENGTH_STEP)


@dataclass(frozen=True)
class Words:
    """The same on every platform and in every process.

    Attributes:
        length: tokens of a context.
        vocabulary: words that captions have; empty where they are not known.
    """

    length: int
    vocabulary: frozenset[str] = frozenset()

    name: ClassVar[str] = "words"
    id: ClassVar[str] = "words"
    dim: ClassVar[int] = CONTEXT_DIM

    @classmethod
    def of(cls, captions: Sequence[str]) -> "Words":
        """The encoder whose contexts hold the longest of ``captions``."""
        longest, vocabulary = 0, set[str]()
        for caption in captions:
            words = _words(caption)
            longest = max(longest, len(words))
            vocabulary.update(words)
        return cls(context_length(2 + longest), frozenset(vocabulary))

    def tokens(self, caption: str) -> list[str]:
        """``length`` tokens: start, lower-case words, end, padding. Words that do not fit are dropped."""
        words = _words(caption)[: self.length - 2]
        return [START, *words, END, *[PAD] * (self.length - 2 - len(words))]

    def remarks(self, prompts: Sequence[str]) -> list[str]:
        most = self.length - 2
        cut = [
            f"{shown(prompt)}: {len(words)} words are more than the {most} that are read; the rest is left out"
            for prompt, words in ((prompt, _words(prompt)) for prompt in prompts)
            if len(words) > most
        ]
        read = dict.fromkeys(word for prompt in prompts for word in _words(prompt)[:most])
        unknown = [word for word in read if self.vocabulary and word not in self.vocabulary]
        return [*cut, *(f"the word {shown(word)} is in no caption of the data" for word in unknown)]

    def encode(self, captions: Sequence[str]) -> Tensor:
        return self.rows(captions)[torch.arange(len(captions))]

    def rows(self, captions: Sequence[str], progress: ShareDone = silent_share) -> "WordRows":
        """Each caption is held as the words' numbers alone, so that a million of them need no memory to speak of."""
        numbers = {PAD: 0}
        tokens = np.empty((len(captions), self.length), dtype=np.int32)
        for row, caption in enumerate(captions):
            tokens[row] = [numbers.setdefault(token, len(numbers)) for token in self.tokens(caption)]
        vectors = torch.stack([word_vector(token) for token in numbers])
        places = sinusoids(torch.arange(self.length), self.dim)
        return WordRows(torch.from_numpy(tokens), WORD_SCALE * vectors, PLACE_SCALE * places)


@dataclass(frozen=True, eq=False)
class WordRows:
    """Captions spelled out when they are asked for.

    Attributes:
        tokens: int32 [N, L], numbers of words; 0 is padding.
        words: float32 [V, D].
        places: float32 [L, D].
    """

    tokens: Tensor
    words: Tensor
    places: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        return (*self.tokens.shape, self.words.shape[1])

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, indices: Tensor, /) -> Tensor:
        """Padding is zero: as a vector of its own it dilutes the words, and their meaning is learnt more slowly."""
        tokens = self.tokens[indices]
        return torch.where((tokens == 0)[..., None], 0.0, self.words[tokens] + self.places)


def word_vector(word: str) -> Tensor:
    """[CONTEXT_DIM] signs, the bits of the word's hash: of two words nearly orthogonal."""
    digest = hashlib.shake_256(word.encode()).digest(CONTEXT_DIM // 8)
    bits = np.unpackbits(np.frombuffer(digest, dtype=np.uint8))
    return torch.from_numpy(bits.astype(np.float32) * 2 - 1)


def _words(caption: str) -> list[str]:
    return re.findall(r"\w+", caption.lower())
