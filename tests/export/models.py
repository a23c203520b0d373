"""Small models to export, with random weights: one of pixels and words, and one of latents and CLIP."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from diffusers import DDIMScheduler

import archlab
from archlab.architecture import preset
from archlab.diffusion.settings import DiffusionSettings
from archlab.encoders.clip import Clip
from archlab.encoders.contracts import Codec, TextEncoder
from archlab.encoders.pixels import Pixels
from archlab.encoders.vae import Vae
from archlab.encoders.words import Words
from archlab.model import Model
from archlab.model.facts import ModelFacts
from archlab.model.schedulers import scheduler_for
from archlab.unet.untrained import untrained
from tests.encoders.tiny import save_clip, save_kl


def pixel_model(**facts: Any) -> Model:
    """Grey images of 8 × 8, by DDIM."""
    settings = DiffusionSettings(objective="v")
    words = Words(8, frozenset({"a", "handwritten", "seven"}))
    return _model(Pixels(1), words, scheduler_for(settings, 8, 1.0), name="pixels", diffusion=settings, **facts)


def latent_model(folder: Path, scheduler: Any = None, **facts: Any) -> Model:
    """Coloured images of 16 × 16, from latents of 2 × 8 × 8; VAE and CLIP lie in ``folder``."""
    save_kl(folder / "vae", channels=3, scaling_factor=0.7, shift_factor=0.1)
    save_clip(folder / "clip")
    scheduler = scheduler or DDIMScheduler(clip_sample=False, timestep_spacing="trailing")
    return _model(Vae(str(folder / "vae")), Clip(str(folder / "clip"), None), scheduler, name="latents", **facts)


def _model(codec: Codec, text: TextEncoder, scheduler: Any, **facts: Any) -> Model:
    spec = replace(
        preset("tiny").scaled(width=0.25, sample_size=8),
        in_channels=codec.channels,
        out_channels=codec.channels,
        context_dim=text.dim,
        context_length=text.length,
    )
    known = {
        "architecture": spec.id,
        "diffusion": None,
        "steps": 8,
        "guidance": 2.0,
        "image_size": codec.image_size(8),
        "context_length": text.length,
        "archlab": archlab.__version__,
    }
    return Model(
        unet=untrained(spec, 0).eval(),
        scheduler=scheduler,
        codec=codec,
        text=text,
        facts=ModelFacts(**{**known, **facts}),
    )
