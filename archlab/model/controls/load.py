"""A control from its folder, with a picture."""

import math
from pathlib import Path

import torch
from torch import Tensor

from archlab.architecture.way_down import way_down_id, way_down_in_words
from archlab.data.left_out import Unusable
from archlab.data.pixels import decode
from archlab.errors import BadInput, shown
from archlab.model.control import Control
from archlab.model.controls.facts import ControlFacts, read_facts
from archlab.model.controls.network_folder import read_network
from archlab.model.model import Model


def load_control(folder: str | Path, model: Model, picture: str | Path, *, scale: float = 1.0) -> Control:
    """The control in a folder, for this model, with the picture in a file.

    Args:
        folder: that ``archlab control train`` wrote, or of diffusers' ``ControlNetModel`` or ``T2IAdapter``.

    Raises:
        BadInput: there is none, it is for other models, or the picture does not fit; one line.
    """
    pictures = read_picture(Path(picture), model.facts.image_size)[None]
    return control_of(Path(folder), model, pictures, scale)


def load_named_control(name: str, model: Model) -> Control:
    """Likewise, of ``FOLDER:PICTURE`` or ``FOLDER:PICTURE:SCALE``.

    Raises:
        BadInput: see `load_control`; or it is not written so.
    """
    rest, _, last = name.rpartition(":")
    scale = _number(last) if ":" in rest else None
    folder, _, picture = (name if scale is None else rest).partition(":")
    if not folder or not picture:
        raise BadInput(f"--control {shown(name)}: must be FOLDER:PICTURE or FOLDER:PICTURE:SCALE")
    return load_control(folder, model, picture, scale=1.0 if scale is None else scale)


def _number(text: str) -> float | None:
    """A number of at least 0; None for other words."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def control_of(folder: Path, model: Model, pictures: Tensor, scale: float = 1.0) -> Control:
    """Likewise with pictures: [N, 3, H, W] in [0, 1], with the sides of the model's images."""
    if (facts := read_facts(folder)) is not None:
        _check(folder, facts, model)
    network = read_network(folder, model.spec, picture_factor(model))
    return Control(name=folder.resolve().name, network=network, pictures=pictures, scale=scale)


def picture_factor(model: Model) -> int:
    """The side of a model's images by that of its latents.

    Raises:
        BadInput: it is no power of 2, for which there is no control.
    """
    factor, rest = divmod(model.facts.image_size, model.spec.sample_size)
    if rest or factor & (factor - 1):
        raise BadInput(
            f"{model.name}: draws {model.facts.image_size} pixels from latents of {model.spec.sample_size}; a control "
            "needs pictures whose side is a power of 2 times the latent's"
        )
    return factor


def read_picture(path: Path, size: int) -> Tensor:
    """A square picture, resized to ``size``: float32 [3, size, size] in [0, 1].

    Raises:
        BadInput: there is none, or it is no square.
    """
    try:
        square = decode(path.read_bytes(), size)
    except OSError as error:
        raise BadInput(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    except Unusable as why:
        raise BadInput(f"{path}: no picture that can be read: {why}") from None
    if square.width != square.height:
        raise BadInput(
            f"{path}: is {square.width}×{square.height} pixels, and this model draws squares of {size}×{size}; "
            "cut out a square"
        )
    return torch.from_numpy(square.pixels.copy()).float() / 255


def _check(folder: Path, facts: ControlFacts, model: Model) -> None:
    if facts.way_down != way_down_id(model.spec):
        theirs = way_down_in_words(model.spec)
        other = "blocks of another kind" if theirs == facts.way_down_in_words else theirs
        raise BadInput(
            f"{folder}: was trained with {facts.model}, a UNet with {facts.way_down_in_words}; {model.name} has {other}"
        )
    if facts.factor != picture_factor(model):
        raise BadInput(
            f"{folder}: its pictures have {facts.factor} times the latent's side, {model.name}'s images "
            f"{picture_factor(model)} times"
        )
