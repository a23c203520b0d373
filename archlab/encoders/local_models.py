"""Models that diffusers and transformers have saved to a folder: JSON and safetensors are read, nothing else."""

import codecs
import importlib
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from archlab.cache import content_hash
from archlab.errors import BadInput, one_line, shown
from archlab.files import file_hash, read_text
from archlab.json_text import parse_json


def model_folder(setting: str, folder: str, part: str) -> Path:
    """The folder itself, or ``part`` in the folder of a diffusers pipeline.

    Raises:
        BadInput: neither has a ``config.json``.
    """
    for candidate in (Path(folder), Path(folder) / part):
        if (candidate / "config.json").is_file():
            return candidate
    if not Path(folder).is_dir():
        raise BadInput(f"{setting}: {folder}: no such folder")
    raise BadInput(f"{setting}: {folder}: no model: there is neither config.json nor {part}/config.json")


def model_config(setting: str, folder: Path) -> dict[str, Any]:
    """What ``config.json`` says.

    Raises:
        BadInput: there is none, or it is no JSON object.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise BadInput(f"{setting}: {folder}: no model: there is no config.json")
    try:
        config = parse_json(read_text(path))
    except ValueError as error:
        raise BadInput(f"{setting}: {path}: not JSON: {error}; save the model again") from None
    if not isinstance(config, dict):
        raise BadInput(f"{setting}: {path}: not the config of a model; save the model again")
    return config


def load_model(setting: str, folder: Path, kind: Any, stem: str) -> nn.Module:
    """The model in float32, in evaluation mode.

    Args:
        kind: the library's class.
        stem: of the names of its weight files.

    Raises:
        BadInput: there are no safetensors, or they are not all of this model.
    """
    variant = _variant(setting, folder, stem)
    unreadable = f"{setting}: {folder}: the weights cannot be read"
    with quiet(kind), as_bad_input(unreadable), without_marks(folder) as readable:
        model, found = kind.from_pretrained(
            readable, local_files_only=True, use_safetensors=True, output_loading_info=True, variant=variant
        )
    if missing := sorted(found["missing_keys"]):
        raise BadInput(
            f"{setting}: {folder}: missing tensors: {len(missing)}, the first is {shown(missing[0])}; "
            "the weights are not those of this config"
        )
    module: nn.Module = model.float().eval().requires_grad_(False)
    return module


@contextmanager
def without_marks(folder: Path) -> Iterator[Path]:
    """The folder; one of links where a JSON file begins with a byte-order mark, which the libraries do not read."""
    marked = {path.name for path in folder.glob("*.json") if path.open("rb").read(3) == codecs.BOM_UTF8}
    if not marked:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="archlab-model-") as temporary:
        for path in folder.iterdir():
            if path.name in marked:
                (Path(temporary) / path.name).write_text(read_text(path), encoding="utf-8")
            else:
                (Path(temporary) / path.name).symlink_to(path.absolute())
        yield Path(temporary)


@contextmanager
def as_bad_input(what: str) -> Iterator[None]:
    """Whatever a library says of somebody's files, in one line after ``what``; not that memory does not suffice."""
    try:
        yield
    except (BadInput, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        raise BadInput(f"{what}: {one_line(str(error))}; fetch or save it again") from error


@contextmanager
def quiet(kind: Any) -> Iterator[None]:
    """Bars and remarks of the library that ``kind`` is a class of, held back."""
    logging = importlib.import_module(f"{kind.__module__.partition('.')[0]}.utils.logging")
    verbosity, has_bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if has_bar:
            logging.enable_progress_bar()


def hash_of_files(*files: Iterable[Path]) -> str:
    """Content hash of the files' names and contents."""
    return content_hash([(path.name, file_hash(path)) for path in sorted(path for group in files for path in group)])


def _variant(setting: str, folder: Path, stem: str) -> str | None:
    """Full precision is preferred to the fp16 variant."""
    for suffix, variant in (("", None), (".fp16", "fp16")):
        index = f"{stem}.safetensors.index{suffix}.json"
        if any((folder / name).is_file() for name in (f"{stem}{suffix}.safetensors", index)):
            return variant
    if any(folder.glob("*.bin")):
        raise BadInput(
            f"{setting}: {folder}: the weights are a pickle (.bin), which archlab does not open; load them with the "
            "library that wrote them and save them with save_pretrained(folder, safe_serialization=True)"
        )
    raise BadInput(f"{setting}: {folder}: no weights; {stem}.safetensors is needed")
