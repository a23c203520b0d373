"""Trainings already made, found again by what decides them.

They are held under `cache_limit_gb`: the least recently used goes first.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

import archlab
from archlab.architecture import UNetSpec
from archlab.errors import BadInput
from archlab.files import cache_folder, cache_limit_gb
from archlab.proxy.checkpoint import Checkpoint, below, prefixed, read_checkpoint, write_checkpoint
from archlab.proxy.curve import CurveRow, curve_rows, curve_tensor
from archlab.space.settings import ProxySettings

_HOW_NOT_WHAT = {"seeds", "threads", "micro_batch"}
_DECIDING_PACKAGES = ("architecture", "unet", "proxy")


class End(NamedTuple):
    """What a training came to at its last rung.

    Attributes:
        images: the first that it draws: float32 [N, C, H, W].
        weights: averaged, as `archlab.unet.build` names them.
    """

    val_loss: float
    fid: float
    images: Tensor
    weights: dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of one seed's training, up to some rung.

    Attributes:
        rungs: quality at each rung that it reached.
        curve: one row a step.
        sample_seconds: time spent on drawing.
        end: None where it was stopped before its last rung.
    """

    rungs: dict[int, float] = field(default_factory=dict)
    curve: Sequence[CurveRow] = ()
    sample_seconds: float = 0.0
    end: End | None = None


def training_id(spec: UNetSpec, settings: ProxySettings, data_id: str, seed: int) -> str:
    """Hash of what decides the scores of one seed's training of the proxy ``spec``.

    Threads and micro-batches are left out: they round the last digits differently, no more.
    """
    deciding = settings.model_dump(mode="json", exclude=_HOW_NOT_WHAT)
    content = json.dumps([spec.id, deciding, data_id, seed, _code_version()], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:24]


def known_training(identity: str) -> Known:
    """What the cache has; nothing where it has none or a damaged one."""
    path = _path(identity)
    found = read_checkpoint(path, identity)
    if found is None:
        return Known()
    with suppress(OSError):
        os.utime(path)
    tensors, facts = found
    end = None
    if "images" in tensors:
        end = End(facts["val_loss"], facts["fid"], tensors["images"], below("weights", tensors))
    return Known(dict(facts["rungs"]), curve_rows(tensors["curve"]), facts["sample_seconds"], end)


def keep_training(identity: str, known: Known) -> None:
    """Write it, whole or not at all, unless another study has come as far meanwhile.

    A full disk costs the next study its time, not this one its result.

    Raises:
        BadInput: see `cache_limit_gb`.
    """
    limit_gb = cache_limit_gb()
    if len(known_training(identity).curve) >= len(known.curve):
        return
    tensors = {"curve": curve_tensor(known.curve)}
    facts = {"rungs": list(known.rungs.items()), "sample_seconds": known.sample_seconds}
    if known.end is not None:
        tensors |= {"images": known.end.images, **prefixed("weights", known.end.weights)}
        facts |= {"val_loss": known.end.val_loss, "fid": known.end.fid}
    with suppress(OSError, BadInput):
        path = _path(identity)
        write_checkpoint(path, identity, Checkpoint(tensors, facts))
        _forget_oldest(path.parent, limit_gb)


def _forget_oldest(folder: Path, limit_gb: float) -> None:
    files = [(file, file.stat()) for file in folder.iterdir()]
    kept = 0
    for file, facts in sorted(files, key=lambda entry: entry[1].st_mtime, reverse=True):
        kept += facts.st_size
        if kept > limit_gb * 1e9:
            file.unlink(missing_ok=True)


def _path(identity: str) -> Path:
    return cache_folder("proxies") / f"{identity}.safetensors"


@lru_cache(maxsize=1)
def _code_version() -> str:
    """Hash of the source that builds, trains and scores, and of the versions of what it computes with."""
    content = hashlib.sha256(json.dumps([version(name) for name in ("torch", "diffusers")]).encode())
    for package in _DECIDING_PACKAGES:
        for path in sorted((Path(archlab.__file__).parent / package).rglob("*.py")):
            content.update(path.read_bytes())
    return content.hexdigest()
