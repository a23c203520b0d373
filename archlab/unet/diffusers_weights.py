"""The tensors in a diffusers UNet folder: one safetensors file or several. Pickles are not read."""

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from archlab.errors import BadInput, one_line, shown
from archlab.files import read_text
from archlab.json_text import parse_json

_FILES = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors")
_INDEXES = ("diffusion_pytorch_model.safetensors.index.json", "diffusion_pytorch_model.safetensors.index.fp16.json")


def read_weights(folder: Path) -> dict[str, Tensor]:
    """All tensors by diffusers' names; full precision is preferred to the fp16 variant.

    Raises:
        BadInput: there are no safetensors, or a file is absent or damaged.
    """
    for file, index in zip(_FILES, _INDEXES, strict=True):
        if (folder / file).is_file():
            return _read(folder / file)
        if (folder / index).is_file():
            return _read_shards(folder / index)
    if any(folder.glob("diffusion_pytorch_model*.bin")):
        raise BadInput(
            f"{folder}: the weights are a pickle (.bin), which archlab does not open; load them with diffusers and "
            "save them with save_pretrained(folder, safe_serialization=True)"
        )
    raise BadInput(f"{folder}: no weights; {_FILES[0]} is needed")


def _read(path: Path) -> dict[str, Tensor]:
    try:
        weights: dict[str, Tensor] = load_file(path)
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    except Exception as error:  # whatever safetensors or torch raise about somebody's file
        raise BadInput(f"{path}: damaged: {one_line(str(error))}; fetch or save it again") from None
    return weights


def _read_shards(index: Path) -> dict[str, Tensor]:
    try:
        files = sorted(set(parse_json(read_text(index))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadInput(f"{index}: damaged: it has no weight_map; fetch or save it again") from None
    weights: dict[str, Tensor] = {}
    for file in files:
        if not isinstance(file, str) or Path(file).name != file:
            raise BadInput(f"{index}: damaged: {shown(file)} is not a file beside it; fetch or save it again")
        weights |= _read(index.parent / file)
    return weights
