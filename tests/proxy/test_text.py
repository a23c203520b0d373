import hashlib
import itertools
import subprocess
import sys

import pytest
import torch

from archlab.proxy.text import CONTEXT_DIM, CONTEXT_LENGTH, END, NULL_PROMPT, PAD, START, encode, tokens, word_vector

WORDS = [
    "a",
    "handwritten",
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "photo",
    "of",
    "red",
    "blue",
]


def test_tokens_are_framed_and_padded() -> None:
    assert tokens("A handwritten THREE!") == [START, "a", "handwritten", "three", END, PAD, PAD, PAD]
    assert tokens(NULL_PROMPT) == [START, END, *[PAD] * 6]


def test_long_caption_is_truncated() -> None:
    assert tokens("one two three four five six seven eight") == [
        START,
        *["one", "two", "three", "four", "five", "six"],
        END,
    ]


def test_encoding_has_the_declared_shape() -> None:
    context = encode(["a handwritten three", ""])
    assert context.shape == (2, CONTEXT_LENGTH, CONTEXT_DIM)
    assert context.dtype == torch.float32
    assert not context[0].equal(context[1])


def test_distinct_words_are_nearly_orthogonal() -> None:
    cosines = torch.tensor(
        [torch.cosine_similarity(word_vector(a), word_vector(b), dim=0) for a, b in itertools.combinations(WORDS, 2)]
    )
    assert cosines.abs().max() < 0.5
    assert cosines.square().mean().sqrt() == pytest.approx(CONTEXT_DIM**-0.5, rel=0.2)  # as for random signs


def test_order_of_words_matters() -> None:
    assert not encode(["one two"]).equal(encode(["two one"]))


def test_encoding_is_the_same_in_another_process() -> None:
    code = (
        "import hashlib; from archlab.proxy.text import encode;"
        "print(hashlib.sha256(encode(['a handwritten three', '']).numpy().tobytes()).hexdigest())"
    )
    there = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": "1", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    here = hashlib.sha256(encode(["a handwritten three", ""]).numpy().tobytes()).hexdigest()
    assert there == here
