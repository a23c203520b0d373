"""How images and captions are encoded: a section of a YAML."""

from typing import Annotated

from archlab.section import NamedOrPath, Section


class EncoderSettings(Section):
    """Frozen encoders. Where they lie decides nothing: results are cached by their content."""

    vae: Annotated[str | None, NamedOrPath()] = None  # a diffusers folder; absent: pixels
    text: Annotated[str | None, NamedOrPath()] = None  # a transformers folder with CLIP's; absent: fixed word vectors
