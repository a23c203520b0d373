"""LoRAs from others and for others."""

from dataclasses import replace
from pathlib import Path

import archlab
from archlab.errors import BadInput
from archlab.files import writable_folder
from archlab.model.model import Model
from archlab.unet.lora.facts import LoraFacts
from archlab.unet.lora.files import WEIGHTS_FILE, read_lora, spec_of, write_lora
from archlab.unet.lora.lora import Lora


def import_lora(file: Path, model: Model, out: Path, *, without_text: bool) -> Lora:
    """Write somebody's LoRA as archlab's own folder.

    Args:
        model: that it is for.
        without_text: leave out what it has for a text encoder.

    Raises:
        BadInput: it cannot be read, or does not fit the model; or the folder is not empty.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"{out}: is there already; name another folder")
    found = read_lora(file, model.spec, without_text=without_text)
    found.check_fit(model.unet, model.name)
    facts = found.facts or LoraFacts(base=model.name, spec=model.spec.to_dict(), archlab=archlab.__version__)
    lora = replace(found, name=out.resolve().name, facts=facts)
    writable_folder(out)
    write_lora(lora, out / WEIGHTS_FILE, model.spec)
    return lora


def export_lora(file: Path, form: str, out: Path) -> None:
    """Write a LoRA of archlab's as one file in ``diffusers``' form or in ``kohya``'s.

    Raises:
        BadInput: it cannot be read, or the form has no names for its layers; or the file cannot be written.
    """
    if out.suffix != ".safetensors":
        raise BadInput(f"{out}: a LoRA's file ends with .safetensors")
    lora = read_lora(file)
    write_lora(lora, out, spec_of(lora.facts, file), form)
