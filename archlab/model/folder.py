"""A model's folder: a pipeline of diffusers', with what archlab knows of it in ``archlab.json``."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import torch

import archlab
from archlab.encoders.clip import Clip
from archlab.encoders.contracts import Codec, TextEncoder
from archlab.encoders.pixels import Pixels
from archlab.encoders.vae import Vae
from archlab.encoders.words import CONTEXT_DIM, Words
from archlab.errors import BadInput
from archlab.evaluation.fact import read_fact, write_fact
from archlab.files import atomic_folder, write_text
from archlab.model.facts import ModelFacts
from archlab.model.model import Model
from archlab.model.schedulers import as_pipelines_use_it, read_scheduler, settings_of
from archlab.model.unet_folder import read_unet, write_unet
from archlab.unet import UNet

FACTS_FILE, INDEX_FILE = "archlab.json", "model_index.json"
FOREIGN_STEPS, FOREIGN_GUIDANCE = 50, 7.5  # diffusers' own

_MEND = "restore it, or make the model again"


def save_model(model: Model, folder: Path) -> None:
    """Write a model's folder, whole or not at all; an older model at that place is replaced.

    Raises:
        BadInput: what lies there is something else.
    """
    if folder.exists() and not is_model(folder):
        raise BadInput(f"{folder}: exists and is not a model; name another folder")
    with atomic_folder(folder) as temporary:
        write_model(model, temporary)


def write_model(model: Model, folder: Path) -> None:
    """Write a model's parts into a folder beside what else is there; ``archlab.json``, which makes it one, last."""
    write_unet(model.unet, folder / "unet")
    model.scheduler.save_pretrained(folder / "scheduler")
    if isinstance(model.codec, Vae):
        model.codec.save(folder)
    if isinstance(model.text, Clip):
        model.text.save(folder)
    if isinstance(model.codec, Vae) and isinstance(model.text, Clip):
        write_text(folder / INDEX_FILE, json.dumps(_index(model, folder), indent=2) + "\n")
    write_fact(model.facts, folder / FACTS_FILE)


def is_model(folder: Path) -> bool:
    """Whether a folder holds a model: archlab's, or a pipeline of diffusers'."""
    return any((folder / name).is_file() for name in (FACTS_FILE, INDEX_FILE))


def read_model(folder: Path, device: torch.device) -> Model:
    """The model in a folder: one that archlab wrote, or a pipeline of diffusers' with one CLIP and a VAE.

    Raises:
        BadInput: there is none, or a part of it is absent, damaged or of a kind that archlab does not draw with.
    """
    if not is_model(folder):
        raise BadInput(f"{folder}: no model: there is neither {FACTS_FILE} nor {INDEX_FILE}")
    unet, scheduler = read_unet(folder / "unet"), read_scheduler(folder / "scheduler")
    is_pipeline = (folder / INDEX_FILE).is_file()
    if is_pipeline:
        scheduler = as_pipelines_use_it(scheduler)
    if unet.spec.added is not None:
        raise BadInput(f"{folder}: SDXL's added conditioning: archlab draws with one text encoder only")
    known = read_fact(ModelFacts, folder / FACTS_FILE, _MEND) if (folder / FACTS_FILE).is_file() else None
    if known is not None and known.architecture != unet.spec.id:
        raise BadInput(f"{folder}: unet and {FACTS_FILE} are of different architectures; {_MEND}")
    vocabulary = frozenset(known.vocabulary if known else ())
    has_vae, has_clip = (is_pipeline or (folder / part).is_dir() for part in ("vae", "text_encoder"))
    codec = Vae(str(folder), device) if has_vae else Pixels(unet.spec.in_channels)
    text = Clip(str(folder), None, device) if has_clip else Words(unet.spec.context_length, vocabulary)
    _check_fit(folder, unet, codec, text)
    facts = known or ModelFacts(
        name=folder.resolve().name,
        architecture=unet.spec.id,
        diffusion=settings_of(scheduler, unet.spec.sample_size),
        steps=FOREIGN_STEPS,
        guidance=FOREIGN_GUIDANCE,
        image_size=codec.image_size(unet.spec.sample_size),
        context_length=text.length,
        archlab=archlab.__version__,
    )
    return Model(
        unet=unet.to(device).eval(),
        scheduler=scheduler,
        codec=codec,
        text=text,
        facts=replace(facts, name=folder.resolve().name),
    )


def _check_fit(folder: Path, unet: UNet, codec: Codec, text: TextEncoder) -> None:
    spec = unet.spec
    if codec.channels != spec.in_channels:
        raise BadInput(f"{folder}: unet takes latents of {spec.in_channels} channels, the VAE gives {codec.channels}")
    if text.dim != spec.context_dim:
        what = "words have" if text.dim == CONTEXT_DIM and isinstance(text, Words) else "text_encoder gives"
        raise BadInput(f"{folder}: unet takes contexts of {spec.context_dim} channels, {what} {text.dim}")


def _index(model: Model, folder: Path) -> dict[str, Any]:
    """diffusers' ``model_index.json``."""
    unet = json.loads((folder / "unet" / "config.json").read_text(encoding="utf-8"))["_class_name"]
    vae = json.loads((folder / "vae" / "config.json").read_text(encoding="utf-8"))["_class_name"]
    plain = unet == "UNet2DConditionModel"
    return {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": diffusers.__version__,
        "unet": ["diffusers", unet] if plain else ["modeling_archlab", unet],
        "scheduler": ["diffusers", type(model.scheduler).__name__],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "vae": ["diffusers", vae],
        "safety_checker": [None, None],
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
    }
