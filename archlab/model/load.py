"""A model by its name."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from archlab.compute import ComputeSettings, device_of
from archlab.errors import BadInput, nearest, shown
from archlab.model.folder import is_model, read_model
from archlab.model.sources import SOURCES
from archlab.unet.lora.files import read_lora
from archlab.unet.lora.use import LoraUse, lora_use

if TYPE_CHECKING:
    import torch

    from archlab.model.model import Model

ROOT = Path("models")


def load_model(name: str | Path, *, device: Literal["auto", "cpu", "cuda"] = "cpu") -> "Model":
    """A model that draws.

    Args:
        name: a model's folder, that of a pipeline of diffusers', an export's that holds a model, or ``study:trial``
            with a number or a pick, whose trained proxy it is.

    Raises:
        BadInput: there is none, or a part of it is damaged.
    """
    where, folder = device_of(ComputeSettings(device=device)), Path(name)
    if folder.is_dir():
        return _of_export(folder, where) if is_model(folder / "model") else read_model(folder, where)
    kind, colon, word = str(name).rpartition(":")
    if colon and kind:
        return SOURCES["study"](kind, word, where)
    there = [str(ROOT / path.name) for path in sorted(ROOT.glob("*")) if is_model(path)]
    raise BadInput(f"{shown(str(name))}: no such model: neither a folder nor study:trial{nearest(str(name), there)}")


def load_models(names: Sequence[str], loras: Sequence[str] = ()) -> "dict[str, Model]":
    """Models by what they are called: their own names, or as they were asked for where two have the same.

    They draw on a GPU where there is one.

    Args:
        loras: in the weights of all of them, as ``--lora`` takes them: ``FILE`` or ``FILE:WEIGHT``.

    Raises:
        BadInput: see `load_model`; or a LoRA is absent, damaged or does not fit.
    """
    uses = [lora_use(text) for text in loras]
    models = {name: _with_loras(load_model(name, device="auto"), uses) for name in dict.fromkeys(names)}
    taken = Counter(model.name for model in models.values())
    return {model.name if taken[model.name] == 1 else name: model for name, model in models.items()}


def _with_loras(model: "Model", uses: Sequence[LoraUse]) -> "Model":
    return model.with_loras([(read_lora(use.path, model.spec), use.weight) for use in uses])


def _of_export(folder: Path, where: "torch.device") -> "Model":
    model = read_model(folder / "model", where)
    return replace(model, facts=replace(model.facts, name=folder.resolve().name))
