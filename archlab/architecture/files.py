"""Architectures as files: a YAML, or the folder of a UNet."""

import os
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from archlab.architecture.diffusers_config import from_diffusers_config
from archlab.architecture.diffusers_keys import CLASS_NAME
from archlab.architecture.diffusers_obstacles import diffusers_obstacles, to_diffusers_config
from archlab.architecture.parts import AddedConditioning, ArchitectureError, Block, Stage, Transformer
from archlab.architecture.presets import preset, presets
from archlab.architecture.spec import UNetSpec
from archlab.document import Document
from archlab.errors import BadInput, nearest, one_line, shorten, shown
from archlab.files import read_text, write_text
from archlab.json_text import parse_json
from archlab.yaml12 import dump

ARCHLAB_UNET = "ArchlabUNet"  # the class of a UNet that diffusers' own cannot express
SPEC_FILE = "architecture.yaml"  # beside the config of one that it can: a config has no place for everything


def save(spec: UNetSpec, path: str | Path) -> None:
    """Write the architecture as YAML, whole or not at all."""
    write_text(Path(path), to_yaml(spec))


def to_yaml(spec: UNetSpec) -> str:
    """The architecture as YAML text, every attribute explicit."""
    return dump(spec.to_dict())


def find(name: str, relative_to: Path = Path()) -> UNetSpec:
    """The architecture a user names: a preset, an architecture YAML, or the folder of a UNet, a model or a pipeline.

    Raises:
        BadInput: it is none of them, or not a valid architecture.
    """
    if name in presets():
        return preset(name)
    path = relative_to / name
    if path.suffix in (".yaml", ".yml"):
        return load(path)
    if name and os.path.isdir(path):
        return load_folder(path)
    raise BadInput(
        f"{shown(name)} is neither a preset nor an architecture YAML nor a diffusers folder{nearest(name, presets())}"
    )


def load(path: str | Path) -> UNetSpec:
    """Read an architecture YAML.

    Raises:
        BadInput: the file is absent or not YAML, or names a part that cannot be; one line with the key at fault.
    """
    document = Document(Path(path), "an architecture YAML is a mapping with sample_size, stages, middle, …")
    try:
        return _ADAPTER.validate_python(document.data)
    except ValidationError as error:
        problems = error.errors()
        first = next((p for p in problems if p["type"] == "unexpected_keyword_argument"), problems[0])
        raise document.error(first["loc"], one_line(first["msg"])) from None
    except ArchitectureError as error:
        raise ArchitectureError(f"{path}: {error}") from None


def load_folder(folder: str | Path) -> UNetSpec:
    """Read the architecture of a UNet's folder, or of the UNet in the folder of a model or a pipeline.

    What archlab wrote comes back exactly: the config of an `ARCHLAB_UNET` has the spec, and beside that of a diffusers
    UNet lies `SPEC_FILE`.

    Raises:
        BadInput: there is none, or a spec cannot express that network; one line with the key at fault.
    """
    place = unet_folder(folder)
    config = unet_config(place)
    if config["_class_name"] == ARCHLAB_UNET:
        try:
            return from_dict(config.get("spec"))
        except ArchitectureError as error:
            raise ArchitectureError(f"{place / 'config.json'}: spec: {error}") from None
    spec = load_diffusers(place)
    if not (place / SPEC_FILE).is_file():
        return spec
    exact = load(place / SPEC_FILE)
    if diffusers_obstacles(exact) or to_diffusers_config(exact) != to_diffusers_config(spec):
        raise BadInput(f"{place / SPEC_FILE}: not the network of config.json beside it; delete the one that is wrong")
    return exact


def load_diffusers(folder: str | Path) -> UNetSpec:
    """Read the ``config.json`` of a diffusers UNet folder, or of the UNet in a pipeline folder.

    Raises:
        BadInput: there is none, or a spec cannot express that network; one line with the key at fault.
    """
    place = unet_folder(folder)
    config = unet_config(place)
    try:
        return from_diffusers_config(config)
    except ArchitectureError as error:
        raise ArchitectureError(f"{place / 'config.json'}: {error}") from None


def unet_config(folder: Path) -> dict[str, Any]:
    """The ``config.json`` of a UNet's folder; its ``_class_name`` is diffusers' UNet's or `ARCHLAB_UNET`.

    Raises:
        BadInput: there is none, it is damaged, or that of something else.
    """
    path = folder / "config.json"
    try:
        config = parse_json(read_text(path))
    except ValueError as error:
        raise BadInput(f"{path}: not JSON: {error}; save the model again") from None
    if not isinstance(config, dict) or config.get("_class_name") not in (CLASS_NAME, ARCHLAB_UNET):
        raise BadInput(f"{path}: not the config of a diffusers {CLASS_NAME}, nor of an {ARCHLAB_UNET}")
    return config


def unet_folder(folder: str | Path) -> Path:
    """The folder itself, or ``unet`` in the folder of a diffusers pipeline.

    Raises:
        BadInput: neither has a ``config.json``.
    """
    folder = Path(folder)
    for candidate in (folder, folder / "unet"):
        if (candidate / "config.json").is_file():
            return candidate
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such folder")
    raise BadInput(f"{folder}: no diffusers UNet or pipeline: there is neither config.json nor unet/config.json")


def from_dict(data: object) -> UNetSpec:
    """The inverse of `UNetSpec.to_dict`.

    Raises:
        ArchitectureError: an unknown or missing key, a wrong type, or a network that cannot be built.
    """
    try:
        return _ADAPTER.validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
        what = one_line(first["msg"])
        raise ArchitectureError(f"{shorten(key)}: {what}" if key else what) from None


for _part in (Transformer, Block, Stage, AddedConditioning, UNetSpec):
    setattr(_part, "__pydantic_config__", ConfigDict(extra="forbid"))  # noqa: B010  # unknown to a dataclass's type

_ADAPTER = TypeAdapter(UNetSpec)
