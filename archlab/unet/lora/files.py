"""LoRA files: diffusers' form, also its older ones, and kohya's; all are safetensors.

diffusers ignores an alpha that stands in no header, and most programs ignore diffusers' header. So its form is written
with B scaled by alpha / r, and a header that says alpha = r: whoever reads it gets the same change.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from archlab.architecture import UNetSpec
from archlab.architecture.files import from_dict
from archlab.architecture.parts import ArchitectureError
from archlab.errors import BadInput, nearest, one_line, shown
from archlab.evaluation.fact import from_json, to_json
from archlab.files import atomic_path
from archlab.unet.lora.facts import LoraFacts
from archlab.unet.lora.layer_names import kohya_names, names_in_files
from archlab.unet.lora.lora import Factors, Lora

WEIGHTS_FILE = "pytorch_lora_weights.safetensors"  # diffusers' own name for it

_FACTS, _METADATA = "archlab", "lora_adapter_metadata"  # entries of the header, the second is diffusers'
_PREFIXES = ("unet.", "base_model.model.", "")
_TEXT_ENCODER = re.compile(r"(lora_te\d?_|text_encoder(_2)?\.|text_model\.)")
_TENSOR = re.compile(
    r"(?P<layer>.+?)\.?(?P<part>lora_A\.weight|lora_A\.default\.weight|lora\.down\.weight|lora_down\.weight"
    r"|lora_B\.weight|lora_B\.default\.weight|lora\.up\.weight|lora_up\.weight|alpha)"
)


class _File(NamedTuple):
    """A LoRA file's content."""

    path: Path
    tensors: dict[str, Tensor]
    header: dict[str, str]


def read_lora(path: Path, spec: UNetSpec | None = None, *, without_text: bool = False) -> Lora:
    """The LoRA in a file, or in a folder as `archlab lora train` and diffusers write it.

    Args:
        spec: of the UNet that it is to be for; absent: the file, which archlab wrote, says it.
        without_text: leave out what it has for a text encoder, which otherwise is refused.

    Raises:
        BadInput: there is none, it is damaged or of a kind that is not known, or has layers that the UNet has not.
    """
    file = _read(path / WEIGHTS_FILE if path.is_dir() else path)
    facts = from_json(LoraFacts, file.header[_FACTS], file.path) if _FACTS in file.header else None
    if spec is None:
        spec = spec_of(facts, file.path)
    tensors, layers = dict(_of_unet(file, without_text)), _layers(file, spec)
    parts, alphas = _by_layer(tensors, layers, file.path), _alphas(file, layers)
    factors = {layer: _factors(layer, found, alphas.get(layer), file.path) for layer, found in parts.items()}
    name = path.resolve().name if path.is_dir() else path.stem
    return Lora(name, factors, facts)


def spec_of(facts: LoraFacts | None, where: object) -> UNetSpec:
    """The architecture of a LoRA that archlab made.

    Raises:
        BadInput: somebody else made it.
    """
    if facts is None:
        raise BadInput(f"{where}: was not written by archlab: archlab lora import FILE --model MODEL first")
    try:
        return from_dict(facts.spec)
    except ArchitectureError as error:
        raise BadInput(f"{where}: damaged: {error}") from None


def write_lora(lora: Lora, path: Path, spec: UNetSpec, form: str = "diffusers") -> None:
    """Write it in ``diffusers``' form or in ``kohya``'s, whole or not at all.

    Args:
        spec: of the UNet that it is for.

    Raises:
        BadInput: kohya's form has no names for the UNet's layers.
    """
    tensors, header = _in_kohyas(lora, spec) if form == "kohya" else _in_diffusers(lora, spec)
    if lora.facts is not None:
        header[_FACTS] = to_json(lora.facts)
    content = save(
        {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()},
        {"format": "pt", **header},
    )
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def _in_diffusers(lora: Lora, spec: UNetSpec) -> tuple[dict[str, Tensor], dict[str, str]]:
    names = names_in_files(spec)
    tensors, ranks = {}, {names[layer]: factors.rank for layer, factors in lora.factors.items()}
    for layer, (down, up) in lora.factors.items():
        tensors[f"unet.{names[layer]}.lora_A.weight"] = down
        tensors[f"unet.{names[layer]}.lora_B.weight"] = up
    config = {
        "unet.r": lora.rank,
        "unet.lora_alpha": lora.rank,
        "unet.target_modules": sorted(ranks),
        "unet.rank_pattern": {name: rank for name, rank in ranks.items() if rank != lora.rank},
        "unet.alpha_pattern": {name: rank for name, rank in ranks.items() if rank != lora.rank},
    }
    return tensors, {_METADATA: json.dumps(config)}


def _in_kohyas(lora: Lora, spec: UNetSpec) -> tuple[dict[str, Tensor], dict[str, str]]:
    names, tensors = kohya_names(spec), {}
    given = None if lora.facts is None else lora.facts.alpha
    for layer, (down, up) in lora.factors.items():
        alpha = float(len(down) if given is None else given)
        tensors[f"{names[layer]}.lora_down.weight"] = down
        tensors[f"{names[layer]}.lora_up.weight"] = up * (len(down) / alpha)
        tensors[f"{names[layer]}.alpha"] = torch.tensor(alpha)
    alpha = lora.rank if given is None else given
    return tensors, {"ss_network_dim": str(lora.rank), "ss_network_alpha": f"{alpha:g}"}


def _read(path: Path) -> _File:
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            return _File(path, {name: file.get_tensor(name) for name in names}, dict(file.metadata() or {}))
    except FileNotFoundError:
        raise BadInput(
            f"{path}: no such file; a LoRA is a .safetensors file, or a folder with {WEIGHTS_FILE}"
        ) from None
    except (OSError, SafetensorError) as error:
        raise BadInput(f"{path}: no safetensors file, or a damaged one: {one_line(str(error))}") from None


def _of_unet(file: _File, without_text: bool) -> Iterator[tuple[str, Tensor]]:
    text = [name for name in file.tensors if _TEXT_ENCODER.match(name)]
    if text and not without_text:
        raise BadInput(
            f"{file.path}: {len(text)} of {len(file.tensors)} tensors, like {shown(text[0])}, are for a text encoder, "
            "and here only the UNet takes a LoRA; archlab lora import FILE --model MODEL --without-text leaves them out"
        )
    yield from ((name, tensor) for name, tensor in file.tensors.items() if not _TEXT_ENCODER.match(name))


def _layers(file: _File, spec: UNetSpec) -> dict[str, str]:
    """The UNet's own name of a layer by that in the file."""
    names = {theirs: ours for ours, theirs in names_in_files(spec).items()}
    if any(name.startswith("lora_unet_") for name in file.tensors):
        return {theirs: ours for ours, theirs in kohya_names(spec).items()}
    prefix = next(each for each in _PREFIXES if any(name.startswith(each) for name in file.tensors) or not each)
    return {f"{prefix}{theirs}": ours for theirs, ours in names.items()}


def _by_layer(tensors: Mapping[str, Tensor], layers: Mapping[str, str], path: Path) -> dict[str, dict[str, Tensor]]:
    """Tensors by the UNet's own name of the layer, and by ``down``, ``up`` and ``alpha``."""
    found: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        match = _TENSOR.fullmatch(name)
        if match is None:
            raise BadInput(
                f"{path}: unknown key {shown(name)}; a LoRA has lora_A and lora_B, lora.down and lora.up, or kohya's "
                "lora_down, lora_up and alpha for each layer"
            )
        if match["layer"] not in layers:
            raise BadInput(f"{path}: the UNet has no layer {shown(match['layer'])}{nearest(match['layer'], layers)}")
        part = "alpha" if match["part"] == "alpha" else "down" if re.search("A|down", match["part"]) else "up"
        found.setdefault(layers[match["layer"]], {})[part] = tensor
    if not found:
        raise BadInput(f"{path}: has no tensors of a UNet's LoRA")
    return found


def _alphas(file: _File, layers: Mapping[str, str]) -> dict[str, float]:
    """The alpha of each layer as diffusers' header has it; nothing where there is none: alpha is the rank then."""
    if _METADATA not in file.header:
        return {}
    try:
        config = json.loads(file.header[_METADATA])
        for kind in ("use_rslora", "use_dora"):
            if config.get(f"unet.{kind}"):
                raise BadInput(
                    f"{file.path}: its header says {kind}; archlab reads plain LoRAs, scaled by alpha / rank"
                )
        pattern = dict(config.get("unet.alpha_pattern", {}))
        usual = config.get("unet.lora_alpha")
        alphas = {ours: pattern.get(theirs.removeprefix("unet."), usual) for theirs, ours in layers.items()}
        return {ours: float(alpha) for ours, alpha in alphas.items() if alpha is not None}
    except (ValueError, TypeError, AttributeError):
        raise BadInput(f"{file.path}: damaged: {_METADATA} in its header is not that of a LoRA") from None


def _factors(layer: str, parts: Mapping[str, Tensor], alpha: float | None, path: Path) -> Factors:
    """
    Args:
        alpha: of the header; a tensor ``alpha`` goes before.
    """
    if missing := {"down", "up"} - set(parts):
        raise BadInput(f"{path}: {layer} has no {' and no '.join(sorted(missing))}; a LoRA has both for each layer")
    down, up = (parts[part].float() for part in ("down", "up"))
    shapes = f"{[*down.shape]} and {[*up.shape]}"
    if down.ndim not in (2, 4) or up.ndim not in (2, 4):
        raise BadInput(f"{path}: {layer} has tensors of shapes {shapes}, which are those of no layer's LoRA")
    if 0 in (*down.shape, *up.shape):
        raise BadInput(f"{path}: {layer} has a LoRA of rank 0, shapes {shapes}; a rank is at least 1")
    if down.shape[0] != up.shape[1]:
        raise BadInput(f"{path}: {layer} has tensors of shapes {shapes}, which are of two ranks")
    if "alpha" in parts:
        alpha = parts["alpha"].item()
    scale = 1.0 if alpha is None else alpha / len(down)
    if not (down.isfinite().all() and up.isfinite().all()):
        raise BadInput(f"{path}: {layer} has values that are not finite; the file is damaged")
    return Factors(down, scale * up)
