"""Models that somebody else saved, edited or cut: one line with setting and folder, whatever a library raises."""

import codecs
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from archlab.encoders.clip import Clip
from archlab.encoders.vae import Vae
from archlab.errors import BadInput
from archlab.scores.clip_score import ClipScore
from archlab.scores.extractors import VisionTransformer
from tests.encoders.tiny import save_clip, save_kl, save_taesd

CPU = torch.device("cpu")


def edit(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize(
    "values",
    [
        {"_class_name": ["AutoencoderKL"]},
        {"_class_name": {"AutoencoderKL": 1}},
        {"block_out_channels": 3},
        {"block_out_channels": None},
        {"latent_channels": "two"},
        {"norm_num_groups": 0},
        {"latents_mean": "none"},
        {"latents_mean": [1.0, 2.0, 3.0]},
        {"latents_std": {"a": 1}},
        {"shift_factor": [[]]},
        {"scaling_factor": []},
    ],
    ids=str,
)
def test_config_that_no_vae_has(values: dict[str, Any], tmp_path: Path) -> None:
    save_kl(tmp_path)
    edit(tmp_path, **values)
    with pytest.raises(BadInput, match=r"^vae: [^\n]*$") as refused:
        Vae(str(tmp_path))
    assert str(tmp_path) in str(refused.value)


@pytest.mark.parametrize("values", [{"upsample_fn": "none"}, {"upsampling_scaling_factor": -1}], ids=str)
def test_config_with_which_no_vae_runs(values: dict[str, Any], tmp_path: Path) -> None:
    save_taesd(tmp_path)
    edit(tmp_path, **values)
    with pytest.raises(BadInput, match=r"^vae: [^\n]*: latents cannot be decoded: [^\n]*$"):
        Vae(str(tmp_path)).decode(torch.zeros(1, 2, 8, 8))


@pytest.mark.parametrize(
    "values",
    [{"eos_token_id": None}, {"eos_token_id": 10**30}, {"layer_norm_eps": None}, {"num_attention_heads": -1}],
    ids=str,
)
def test_config_with_which_no_clip_runs(values: dict[str, Any], tmp_path: Path) -> None:
    save_clip(tmp_path)
    edit(tmp_path, **values)
    with pytest.raises(BadInput, match=r"^text: [^\n]*$"):
        Clip(str(tmp_path), ["a red circle"]).encode(["a red circle"])


@pytest.mark.parametrize("content", ["{}", "[]", "", "3", '{"a": "b"}', '{"a": -1}', "[" * 100_000])
def test_vocabulary_that_is_none(content: str, tmp_path: Path) -> None:
    save_clip(tmp_path, with_images=True)
    (tmp_path / "vocab.json").write_text(content)
    readers: list[Callable[[], object]] = [
        lambda: Clip(str(tmp_path), ["a red circle"]),
        lambda: ClipScore(str(tmp_path), CPU),
    ]
    for read in readers:
        with pytest.raises(BadInput, match=r"^(text|clip): [^\n]*$") as refused:
            read()
        assert str(tmp_path) in str(refused.value)


@pytest.mark.parametrize(
    "values", [{"model_type": ["clip"]}, {"model_type": {}}, {"vision_config": [1]}, {"vision_config": "x"}], ids=str
)
def test_config_that_no_image_encoder_has(values: dict[str, Any], tmp_path: Path) -> None:
    save_clip(tmp_path, with_images=True)
    edit(tmp_path, **values)
    with pytest.raises(BadInput, match=r"^extractor: [^\n]*$"):
        VisionTransformer(str(tmp_path), CPU)
    with pytest.raises(BadInput, match=r"^clip: [^\n]*$"):
        ClipScore(str(tmp_path), CPU)


def test_files_with_a_byte_order_mark_are_read_as_without(tmp_path: Path) -> None:
    images, prompts = torch.zeros(1, 1, 16, 16), ["a red circle"]
    save_kl(tmp_path / "vae")
    save_clip(tmp_path / "clip", with_images=True)

    def read() -> list[torch.Tensor]:
        clip = str(tmp_path / "clip")
        encoded = [Vae(str(tmp_path / "vae")).encode(images), Clip(clip, prompts).encode(prompts)]
        return [*encoded, ClipScore(clip, CPU)(images, prompts)]

    before = read()
    for path in tmp_path.rglob("*.json"):
        path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    for marked, plain in zip(read(), before, strict=True):
        torch.testing.assert_close(marked, plain)
