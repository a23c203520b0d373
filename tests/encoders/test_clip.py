import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import CLIPTextModel, CLIPTokenizer

from archlab.encoders.clip import Clip
from archlab.encoders.contracts import NULL_PROMPT
from archlab.errors import BadInput
from tests.encoders.tiny import save_clip

CAPTIONS = [NULL_PROMPT, "a red circle", "A blue square!", "a handwritten seven"]
FULL = 77


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    save_clip(folder)
    return folder


@torch.no_grad()
def full_length(folder: Path, captions: list[str]) -> torch.Tensor:
    """As Stable Diffusion 1.5's pipeline encodes them: [N, 77, D]."""
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    tokens = tokenizer(captions, padding="max_length", max_length=FULL, truncation=True, return_tensors="pt")
    hidden: torch.Tensor = CLIPTextModel.from_pretrained(folder).eval()(tokens.input_ids).last_hidden_state
    return hidden


def test_context_is_the_start_of_what_stable_diffusion_attends_to(folder: Path) -> None:
    clip = Clip(str(folder), CAPTIONS)
    # "a handwritten seven" is start, 2 words, 5 letters that it has to spell, end
    assert (clip.length, clip.dim) == (16, 16)
    torch.testing.assert_close(clip.encode(CAPTIONS), full_length(folder, CAPTIONS)[:, :16])


def test_captions_beyond_the_tokenizers_length_are_cut_as_there(folder: Path) -> None:
    captions = ["a red circle " * 40, "blue"]
    clip = Clip(str(folder), captions)
    assert clip.length == FULL
    torch.testing.assert_close(clip.encode(captions), full_length(folder, captions))


def test_rows_are_the_contexts_in_fp16(folder: Path) -> None:
    heard: list[float] = []
    clip = Clip(str(folder), CAPTIONS)
    rows = clip.rows(CAPTIONS, heard.append)
    assert rows.shape == (4, 16, 16)
    picked = torch.tensor([3, 0, 1])
    expected = full_length(folder, CAPTIONS)[picked, :16]
    torch.testing.assert_close(rows[picked], expected, rtol=1e-3, atol=1e-3)
    assert heard[-1] == 1
    again = Clip(str(folder), CAPTIONS)
    assert again.rows(CAPTIONS)[picked].equal(rows[picked])
    assert "model" not in vars(again)  # it was not even loaded


def test_pipeline_with_its_tokenizer_beside(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer").mkdir()
    shutil.copytree(folder, tmp_path / "text_encoder")
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        (tmp_path / "text_encoder" / name).rename(tmp_path / "tokenizer" / name)
    torch.testing.assert_close(Clip(str(tmp_path), CAPTIONS).encode(CAPTIONS), full_length(folder, CAPTIONS)[:, :16])


def test_whole_clip_gives_what_its_text_encoder_gives(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    clip = save_clip(tmp_path, with_images=True)
    capfd.readouterr()
    ours = Clip(str(tmp_path), CAPTIONS)
    context = ours.encode(CAPTIONS)
    assert capfd.readouterr() == ("", "")  # of the image encoder's weights, too, nothing is said
    tokens = CLIPTokenizer.from_pretrained(tmp_path)(CAPTIONS, padding="max_length", max_length=16, return_tensors="pt")
    with torch.no_grad():
        torch.testing.assert_close(context, clip.text_model(tokens.input_ids).last_hidden_state)


def _config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "config.json").unlink(), "neither config.json nor text_encoder/config.json"),
        (lambda f: _config(f, model_type="t5"), "the config of no CLIP but of 't5'"),
        (lambda f: (f / "merges.txt").unlink(), "no tokenizer: neither tokenizer.json nor vocab.json with merges.txt"),
        (lambda f: (f / "vocab.json").write_text("{"), "the tokenizer cannot be read"),
        (lambda f: _config(f, vocab_size=3), r"the tokenizer knows \d+ tokens and the model 3"),
        (lambda f: _config(f, hidden_size="wide"), "not a config of CLIP"),
        (lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"), r"the weights are a pickle \(.bin\)"),
        (lambda f: (f / "model.safetensors").write_bytes(b"damaged"), "cannot be read"),
        (lambda f: _config(f, num_hidden_layers=3), "missing tensors: 16, the first is 'encoder.layers.2"),
    ],
)
def test_what_is_no_clip_is_refused_in_one_line(damage: Any, message: str, folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "clip"
    shutil.copytree(folder, copy)
    damage(copy)
    with pytest.raises(BadInput, match=f"^text: {tmp_path}.*{message}") as caught:
        Clip(str(copy), CAPTIONS).encode(CAPTIONS)
    assert "\n" not in str(caught.value)
