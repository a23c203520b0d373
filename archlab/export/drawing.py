"""``scheduler.json``: all that a program in any language needs to draw with an export's files."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict

from archlab.encoders.clip import Clip
from archlab.encoders.contracts import TextEncoder
from archlab.encoders.vae import Vae
from archlab.encoders.words import END, PLACE_SCALE, START, WORD_SCALE, Words
from archlab.evaluation.fact import STRICT, Whole
from archlab.export.forms.form import ExportedFile, Port
from archlab.export.steps import Steps, clip_range, steps_of
from archlab.model import Model
from archlab.model.schedulers import most_steps

DRAWING_FILE, TOKENIZER_FOLDER = "scheduler.json", "tokenizer"

_COUNTS = (50, 25, 20, 10, 8, 4, 2, 1)


@dataclass(frozen=True, kw_only=True)
class ImageFacts:
    """Of what is drawn, in [-1, 1]: square, ``channels`` first."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    channels: Whole
    size: Whole


@dataclass(frozen=True, kw_only=True)
class LatentFacts:
    """What the UNet draws: the image itself, or what the decoder is given after ``latent / scale + shift``.

    Attributes:
        scale, shift: one for each channel, or one for all.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    channels: Whole
    size: Whole
    scale: tuple[float, ...] = (1.0,)
    shift: tuple[float, ...] = (0.0,)


@dataclass(frozen=True, kw_only=True)
class ClipFacts:
    """Prompts by CLIP's byte pairs, in ``tokenizer``: start, at most ``length`` − 2 tokens, end, then ``pad``."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    kind: Literal["clip"] = "clip"
    length: Whole
    start: str
    end: str
    pad: Whole


@dataclass(frozen=True, kw_only=True)
class WordFacts:
    """Prompts as a vector a word, without a network; places behind the end are zero.

    Attributes:
        dim: of a vector.
        vocabulary: words that the training's captions have; empty where they are not known.
        vector: how it is computed.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    kind: Literal["words"] = "words"
    length: Whole
    dim: Whole
    start: str
    end: str
    word_scale: float
    place_scale: float
    vocabulary: tuple[str, ...]
    vector: str = (
        "word_scale * signs + place_scale * waves, of tokens: start, lower-case words (letters, digits, _), end. "
        "signs: the bits of SHAKE-256(UTF-8 of the token, dim / 8 bytes), highest first, 1 as +1 and 0 as -1. "
        "waves: cos(place * f), then sin(place * f), with f = 10000 ** (-i / (dim / 2)), i = 0 ... dim / 2 - 1."
    )


@dataclass(frozen=True, kw_only=True)
class NetworkFacts:
    """A network's TFLite files, by precision, with the names and shapes that all of them have."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    files: dict[str, str]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """How to draw.

    Attributes:
        prediction_type: diffusers' word: ``epsilon``, ``v_prediction``, ``flow_prediction``, ``sample``.
        clip_range: predicted clean latents are cut to ± this; None where they are not.
        renoises: whether the noise is computed anew from clean latents that were cut.
        guidance: 1 needs one pass of the UNet a step, more needs a second one with the empty prompt.
        guidance_dim: of the UNet's input ``guidance``, where it takes the guidance itself, in one pass; else None.
        steps: with how many it draws unless asked otherwise.
        schedules: by number of steps.
        networks: ``text_encoder``, ``unet``, ``decoder``: those that there are. Along a picture ``controlled_unet`` is
            in the place of ``unet``: its ``residual_0`` … are the outputs of ``controlnet``, which runs beside every
            pass, or of ``adapter``, which runs once an image; either is given an RGB ``picture`` in [0, 1].
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: str
    prediction_type: str
    clip_range: float | None
    renoises: bool
    guidance: float
    guidance_dim: Whole | None
    steps: Whole
    image: ImageFacts
    latents: LatentFacts
    text: ClipFacts | WordFacts
    networks: dict[str, NetworkFacts]
    schedules: dict[str, Steps]


def drawing_of(model: Model, files: Iterable[ExportedFile]) -> Drawing:
    """What ``model`` needs, whose scheduler `expressible` gave; with its TFLite files."""
    config = model.scheduler.config
    return Drawing(
        name=model.name,
        prediction_type=config.get("prediction_type", "flow_prediction"),
        clip_range=clip_range(model.scheduler),
        renoises=bool(config.get("thresholding")),
        guidance=max(model.facts.guidance, 1.0),
        guidance_dim=model.spec.guidance_dim,
        steps=model.facts.steps,
        image=ImageFacts(channels=model.image_channels, size=model.facts.image_size),
        latents=_latents(model),
        text=_text(model.text),
        networks=_networks(files),
        schedules={str(count): steps_of(model.scheduler, count) for count in _counts(model)},
    )


def _counts(model: Model) -> list[int]:
    """Numbers of steps that it may be asked for: of a student its own alone."""
    own, most = model.facts.steps, most_steps(model.scheduler)
    others = () if model.facts.distillation is not None else (count for count in _COUNTS if count <= most)
    return sorted({own, *others}, reverse=True)


def _latents(model: Model) -> LatentFacts:
    facts: dict[str, Any] = {"channels": model.spec.in_channels, "size": model.spec.sample_size}
    if isinstance(model.codec, Vae):
        facts |= {name: tuple(getattr(model.codec, name).flatten().tolist()) for name in ("scale", "shift")}
    return LatentFacts(**facts)


def _text(text: TextEncoder) -> ClipFacts | WordFacts:
    if isinstance(text, Clip):
        tokenizer = text.tokenizer
        start, end = tokenizer.bos_token, tokenizer.eos_token
        return ClipFacts(length=text.length, start=start, end=end, pad=tokenizer.pad_token_id)
    assert isinstance(text, Words)
    return WordFacts(
        length=text.length,
        dim=text.dim,
        start=START,
        end=END,
        word_scale=WORD_SCALE,
        place_scale=PLACE_SCALE,
        vocabulary=tuple(sorted(text.vocabulary)),
    )


def _networks(files: Iterable[ExportedFile]) -> dict[str, NetworkFacts]:
    by_network: dict[str, list[ExportedFile]] = {}
    for file in files:
        if file.runtime == "TFLite" and file.file is not None:
            by_network.setdefault(file.component, []).append(file)
    return {name: _network(those) for name, those in by_network.items()}


def _network(files: list[ExportedFile]) -> NetworkFacts:
    names: Mapping[str, str] = {file.precision: file.file for file in files if file.file is not None}
    return NetworkFacts(files=dict(names), inputs=files[0].inputs, outputs=files[0].outputs)
