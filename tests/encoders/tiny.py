"""Tiny models with random weights, saved as diffusers and transformers save theirs."""

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTextModel, CLIPVisionConfig

WORDS = ["a", "handwritten", "red", "blue", "circle", "square", "zero", "one", "two", "three", "four", "five", "six"]


def save_kl(folder: Path, channels: int = 1, **changes: Any) -> AutoencoderKL:
    """Halves the side; two channels of latents."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vae = AutoencoderKL(
            in_channels=channels,
            out_channels=channels,
            latent_channels=2,
            block_out_channels=(8, 16),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            norm_num_groups=4,
            **changes,
        ).eval()
    vae.save_pretrained(folder)
    return vae


def save_taesd(folder: Path, channels: int = 1, **changes: Any) -> AutoencoderTiny:
    """Halves the side; two channels of latents."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vae = AutoencoderTiny(
            in_channels=channels,
            out_channels=channels,
            latent_channels=2,
            encoder_block_out_channels=(8, 8),
            decoder_block_out_channels=(8, 8),
            num_encoder_blocks=(1, 1),
            num_decoder_blocks=(1, 1),
            **changes,
        ).eval()
    vae.save_pretrained(folder)
    return vae


def save_clip(folder: Path, with_images: bool = False) -> CLIPTextModel | CLIPModel:
    """Contexts of 77 × 16; its tokenizer knows `WORDS` and spells everything else."""
    vocabulary = save_tokenizer(folder)
    text = CLIPTextConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        bos_token_id=len(vocabulary) - 2,
        eos_token_id=len(vocabulary) - 1,
    )
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=16, patch_size=8
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        clip = (
            CLIPModel(CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict()))
            if with_images
            else CLIPTextModel(text)
        )
    clip.eval().save_pretrained(folder)
    return clip


def save_tokenizer(folder: Path) -> list[str]:
    """CLIP's kind of byte pairs, as its own files: ``vocab.json`` and ``merges.txt``."""
    letters = [chr(code) for code in range(ord("!"), ord("~") + 1)]
    merges: dict[str, None] = {}
    for word in WORDS:
        *start, last = word
        joined = start[0] if start else ""
        for part in [*start[1:], f"{last}</w>"] if start else []:
            merges[f"{joined} {part}"] = None
            joined += part
    vocabulary = [*letters, *(f"{letter}</w>" for letter in letters), *(pair.replace(" ", "") for pair in merges)]
    vocabulary += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(vocabulary)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 77}))
    return vocabulary
