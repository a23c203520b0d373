import hashlib
import itertools
import subprocess
import sys

import pytest
import torch

from archlab.encoders.contracts import NULL_PROMPT
from archlab.encoders.words import CONTEXT_DIM, END, PAD, START, Words, context_length, word_vector
from archlab.unet.time_embedding import sinusoids

NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
WORDS = ["a", "handwritten", *NUMBERS, "photo", "of", "red", "blue"]


@pytest.fixture(scope="module")
def words() -> Words:
    return Words.of(["a handwritten three", "one"])


def test_tokens_are_framed_and_padded(words: Words) -> None:
    assert words.tokens("A handwritten THREE!") == [START, "a", "handwritten", "three", END, PAD, PAD, PAD]
    assert words.tokens(NULL_PROMPT) == [START, END, *[PAD] * 6]


def test_caption_longer_than_those_of_the_data_is_cut(words: Words) -> None:
    tokens = words.tokens("one two three four five six seven eight")
    assert tokens == [START, "one", "two", "three", "four", "five", "six", END]


@pytest.mark.parametrize(("longest", "length"), [(0, 8), (6, 8), (7, 16), (14, 16), (70, 72), (71, 77), (500, 77)])
def test_length_holds_the_longest_caption(longest: int, length: int) -> None:
    assert Words.of(["word " * longest, "one"]).length == length
    assert context_length(longest + 2) == length


def test_encoding_is_words_and_places(words: Words) -> None:
    context = words.encode(["a three", ""])
    assert (context.shape, context.dtype) == ((2, 8, CONTEXT_DIM), torch.float32)
    place = sinusoids(torch.arange(8), CONTEXT_DIM)
    for index, token in enumerate([START, "a", "three", END]):
        torch.testing.assert_close(context[0, index], 3 * word_vector(token) + 0.3 * place[index])
    assert not context[0, 4:].any()
    assert not context[1, 2:].any()


def test_rows_are_the_encoded_captions(words: Words) -> None:
    captions = ["one two", "", "a handwritten three", "two one", "one two"]
    rows = words.rows(captions)
    assert (len(rows), rows.shape) == (5, (5, 8, CONTEXT_DIM))
    assert rows[torch.tensor([3, 0, 3])].equal(words.encode(["two one", "one two", "two one"]))
    assert not rows[torch.tensor([0])].equal(rows[torch.tensor([3])])  # order of words matters


def test_distinct_words_are_nearly_orthogonal() -> None:
    cosines = torch.tensor(
        [torch.cosine_similarity(word_vector(a), word_vector(b), dim=0) for a, b in itertools.combinations(WORDS, 2)]
    )
    assert cosines.abs().max() < 0.5
    assert cosines.square().mean().sqrt() == pytest.approx(CONTEXT_DIM**-0.5, rel=0.2)  # as for random signs


def test_encoding_is_the_same_in_another_process(words: Words) -> None:
    code = (
        "import hashlib; from archlab.encoders.words import Words; words = Words.of(['a handwritten three', 'one']);"
        "print(hashlib.sha256(words.encode(['a handwritten three', '']).numpy().tobytes()).hexdigest())"
    )
    there = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": "1", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    here = hashlib.sha256(words.encode(["a handwritten three", ""]).numpy().tobytes()).hexdigest()
    assert there == here
