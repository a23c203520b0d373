"""The program in an export, part by part: it has no tokenizer, no torch and no Pillow, and does what they do."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from archlab.encoders.words import END, START, Words
from archlab.export.sample import clip_tokens, words_context, write_png

TEXTS = [
    "",
    " ",
    "a photo of an astronaut riding a horse on mars",
    "It's the dog's ball, they'll say; WE'VE 'd it -- isn't that 'tis 'Re o''s?",
    "naïve café, re\u0301sume\u0301 ÅNGSTRÖM ß ſ İstanbul ΣΟΦΟΣ Ǆ",
    "日本語のテキスト、中文文本 한국어 العربية עברית हिन्दी ไทย",
    "emoji 🙂👨‍👩‍👧‍👦🏳️‍🌈 ☃️ ™ ½ ² Ⅷ ٣ 𝔘𝔫𝔦 ",
    "tabs\tand\nnew\r\nlines\u2003wide\u00a0hard\u200bzero\u3000ideographic\x1cfile\x85next",
    "1234567890 3.14159 1,000,000 #hashtag @name snake_case a_b __x__ $5 100%",
    "!!! ??? ... '''' \"\" ((())) <|endoftext|> in <|startoftext|>the middle <|endoftext",
    "word " * 200,
    "x" * 500,
]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> CLIPTokenizer:
    """With all 512 letters of CLIP's and some hundred merges, learnt from the texts by the tokenizers library."""
    learnt = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learnt.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    learnt.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=1400, initial_alphabet=alphabet, end_of_word_suffix="</w>", show_progress=False
    )
    learnt.train_from_iterator([text.lower() for text in TEXTS], trainer)
    merges = ["".join(f"{a} {b}\n") for a, b in json.loads(learnt.to_str())["model"]["merges"]]
    vocabulary = [*alphabet, *(f"{letter}</w>" for letter in alphabet)]
    vocabulary += dict.fromkeys(merge.replace(" ", "").strip() for merge in merges)
    vocabulary = [*dict.fromkeys(vocabulary), START_OF_TEXT, END_OF_TEXT]
    folder = tmp_path_factory.mktemp("tokenizer")
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(vocabulary)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(merges))
    return CLIPTokenizer.from_pretrained(folder)


START_OF_TEXT, END_OF_TEXT = "<|startoftext|>", "<|endoftext|>"


def ours(tokenizer: CLIPTokenizer, text: str) -> list[int]:
    facts = {"start": START_OF_TEXT, "end": END_OF_TEXT, "length": 77, "pad": tokenizer.pad_token_id}
    tokens: list[int] = clip_tokens(text, facts, Path(tokenizer.name_or_path))[0].tolist()
    return tokens


def theirs(tokenizer: CLIPTokenizer, text: str) -> list[int]:
    tokens: list[int] = tokenizer(text, padding="max_length", max_length=77, truncation=True)["input_ids"]
    return tokens


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_tokens_are_those_of_transformers(tokenizer: CLIPTokenizer, text: str) -> None:
    assert ours(tokenizer, text) == theirs(tokenizer, text)


def test_tokens_of_random_texts_are_those_of_transformers(tokenizer: CLIPTokenizer) -> None:
    draw = random.Random(0)
    letters = sorted({*"".join(TEXTS), *(chr(code) for code in range(1, 0x250))})
    for _ in range(500):
        text = "".join(draw.choices(letters, k=draw.randrange(40)))
        assert ours(tokenizer, text) == theirs(tokenizer, text), repr(text)


def test_words_are_those_of_the_encoder() -> None:
    facts = {"start": START, "end": END, "length": 16, "dim": 64, "word_scale": 3.0, "place_scale": 0.3}
    prompts = ["a handwritten seven", "", "Ein größeres BILD, bitte!", "word " * 30]
    expected = Words(16).encode(prompts)
    assert expected.shape == (4, 16, 64)
    ours = np.concatenate([words_context(prompt, facts) for prompt in prompts])
    np.testing.assert_allclose(ours, expected.numpy(), atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_is_what_pillow_reads(channels: int, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels), dtype=np.uint8)
    write_png(str(tmp_path / "picture.png"), pixels)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "picture.png")).reshape(pixels.shape), pixels)
