"""Pictures as PNG files that say how they were drawn."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from archlab.files import atomic_path

GRID_FILE = "grid.png"

_LONGEST_NAME = 80  # bytes of UTF-8


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is drawn: every prompt with every seed.

    Attributes:
        steps, guidance: None for each model's own.
    """

    prompts: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    steps: int | None = None
    guidance: float | None = None


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What one model drew.

    Attributes:
        folder: with the pictures and `GRID_FILE`.
        pictures: by prompt and seed.
        latent: channels, height and width: models with equal ones begin with equal noise.
        image_size: side in pixels.
        remarks: what the prompts say that the model cannot know, a line each.
    """

    model: str
    architecture: str
    folder: Path
    pictures: Mapping[tuple[str, int], Path]
    steps: int
    passes: int
    guidance: float
    scheduler: str
    latent: tuple[int, int, int]
    image_size: int
    remarks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PictureFacts:
    """How a picture was drawn: each field is a text of the PNG, under its own name.

    Attributes:
        model, architecture: what drew it, and the content hash of its spec.
        passes: of the UNet, for this picture.
        scheduler: its class in diffusers.
        archlab: the version.
        control: along which it was drawn, with its scale; empty for none.
        remarks: what its prompt says that the model cannot know.
    """

    prompt: str
    seed: int
    steps: int
    passes: int
    guidance: float
    scheduler: str
    model: str
    architecture: str
    archlab: str
    control: str = ""
    remarks: tuple[str, ...] = ()


def write_picture(image: Image.Image, facts: PictureFacts, path: Path) -> None:
    """Write a PNG with its settings as texts, whole or not at all."""
    texts = PngInfo()
    for field in fields(facts):
        value = getattr(facts, field.name)
        text = "\n".join(value) if isinstance(value, tuple) else str(value)
        if text:
            texts.add_itxt(field.name, text)  # UTF-8, whatever the prompt is written in
    with atomic_path(path) as temporary:
        image.save(temporary, format="PNG", pnginfo=texts)


def file_stems(prompts: Sequence[str]) -> dict[str, str]:
    """For each prompt a name that is safe in every file system; no two are equal, in upper or lower case."""
    stems: dict[str, str] = {}
    taken: set[str] = set()
    for prompt in dict.fromkeys(prompts):
        stem, number = _stem(prompt), 2
        distinct = stem
        while distinct in taken:
            distinct, number = f"{stem}-{number}", number + 1
        taken.add(distinct)
        stems[prompt] = distinct
    return stems


def _stem(prompt: str) -> str:
    """``a-handwritten-seven``"""
    plain = unicodedata.normalize("NFC", unicodedata.normalize("NFKC", prompt).casefold())
    name = re.sub(r"[\W_]+", "-", plain).strip("-")
    return name.encode()[:_LONGEST_NAME].decode(errors="ignore").strip("-") or "prompt"
