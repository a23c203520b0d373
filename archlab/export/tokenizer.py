"""CLIP's byte pairs as files that programs without transformers read."""

import json
from pathlib import Path

from archlab.encoders.clip import Clip


def write_tokenizer(clip: Clip, folder: Path) -> None:
    """CLIP's ``vocab.json`` and ``merges.txt``, as its first release and ml-stable-diffusion have them."""
    folder.mkdir(exist_ok=True)
    pairs = json.loads(clip.tokenizer.backend_tokenizer.to_str())["model"]
    vocabulary = {**pairs["vocab"], **clip.tokenizer.get_added_vocab()}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    merges = ["#version: 0.2", *(" ".join(pair) for pair in pairs["merges"])]
    (folder / "merges.txt").write_text("\n".join(merges) + "\n", encoding="utf-8")
