"""Trainings already made, found again by what decides them.

They are held under `cache_limit_gb`: the least recently used goes first.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

import archlab
from archlab.architecture import UNetSpec
from archlab.checkpoint import Checkpoint, below, prefixed, read_checkpoint, write_checkpoint
from archlab.errors import BadInput
from archlab.files import cache_folder, cache_limit_gb
from archlab.scores import Scores
from archlab.space.settings import ProxySettings
from archlab.training.curve import CurveRow, curve_rows, curve_tensor

_HOW_NOT_WHAT = {"seeds", "threads", "micro_batch", "zero_cost"}
_KNOWN_BY_CONTENT = {"data", "vae", "text", "extractor", "clip", "device", "scale"}
_SCORING = {"quality", "samples", "sampler", "sampling_steps", "score_steps", "score_rungs", "guidance"}
_DECIDING_PACKAGES = ("architecture", "unet", "data", "encoders", "diffusion", "scores", "training", "proxy")


class End(NamedTuple):
    """What a training came to at its last rung.

    Attributes:
        images: some that it draws: float32 [N, C, H, W].
        weights: averaged, as `archlab.unet.build` names them.
    """

    images: Tensor
    weights: dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of one seed's training, up to some rung.

    Attributes:
        rungs: scores at each rung that it reached.
        curve: one row a step.
        score_seconds: time spent on scoring, drawing included.
        inherited: what it began with, if with a baseline's weights.
        end: None where it was stopped before its last rung.
    """

    rungs: dict[int, Scores] = field(default_factory=dict)
    curve: Sequence[CurveRow] = ()
    score_seconds: float = 0.0
    inherited: dict[str, Any] | None = None
    end: End | None = None


def training_id(
    spec: UNetSpec, settings: ProxySettings, given_id: str, seed: int, device: str, baseline: str | None = None
) -> str:
    """Hash of what decides the scores of one seed's training of the proxy ``spec``.

    Threads and micro-batches are left out: they round the last digits differently, no more.

    Args:
        given_id: of its data and encoders, and of the networks that score it.
        baseline: content hash of the proxy whose weights it begins with or from whom it learns.
    """
    deciding = settings.model_dump(mode="json", exclude=_HOW_NOT_WHAT | _KNOWN_BY_CONTENT)
    return _hash([spec.id, deciding, given_id, seed, device, baseline])


def baseline_id(spec: UNetSpec, settings: ProxySettings, prepared_id: str, device: str) -> str:
    """Hash of what decides the weights of the baseline's proxy ``spec``, trained to the last rung: not its scores."""
    excluded = _HOW_NOT_WHAT | _KNOWN_BY_CONTENT | _SCORING | {"rungs", "init", "distill"}
    deciding = settings.model_dump(mode="json", exclude=excluded)
    return _hash(["baseline", spec.id, deciding, settings.rungs[-1], prepared_id, device])


def known_training(identity: str) -> Known:
    """What the cache has; nothing where it has none or a damaged one."""
    found = read_entry(identity)
    if found is None:
        return Known()
    tensors, facts = found
    end = None
    if "images" in tensors:
        end = End(tensors["images"], below("weights", tensors))
    return Known(
        rungs=rungs_of(facts),
        curve=curve_rows(tensors["curve"]),
        score_seconds=facts["score_seconds"],
        inherited=facts["inherited"],
        end=end,
    )


def keep_training(identity: str, known: Known) -> None:
    """Write it, whole or not at all, unless another study has come as far meanwhile.

    Raises:
        BadInput: see `cache_limit_gb`.
    """
    if len(known_training(identity).curve) >= len(known.curve):
        return
    tensors = {"curve": curve_tensor(known.curve)}
    facts = {
        "rungs": rung_facts(known.rungs),
        "score_seconds": known.score_seconds,
        "inherited": known.inherited,
    }
    if known.end is not None:
        tensors |= {"images": known.end.images, **prefixed("weights", known.end.weights)}
    write_entry(identity, Checkpoint(tensors, facts))


def rung_facts(rungs: Mapping[int, Scores]) -> list[tuple[int, dict[str, Any]]]:
    """Scores by rung as JSON has them."""
    return [(rung, scores.to_dict()) for rung, scores in rungs.items()]


def rungs_of(facts: Mapping[str, Any]) -> dict[int, Scores]:
    """What `rung_facts` made, under ``rungs``."""
    return {rung: Scores.from_dict(scores) for rung, scores in facts["rungs"]}


def read_entry(identity: str) -> Checkpoint | None:
    """What is kept under this name; None where there is nothing, or it is damaged."""
    path = entry_path(identity)
    found = read_checkpoint(path, identity)
    if found is not None:
        with suppress(OSError):
            os.utime(path)
    return found


def write_entry(identity: str, entry: Checkpoint) -> None:
    """Keep it under this name, whole or not at all. A full disk costs the next study its time, not this one its result.

    Raises:
        BadInput: see `cache_limit_gb`.
    """
    limit_gb = cache_limit_gb()
    with suppress(OSError, BadInput):
        path = entry_path(identity)
        write_checkpoint(path, identity, entry)
        _forget_oldest(path.parent, limit_gb)


def entry_path(identity: str) -> Path:
    """Where it is kept."""
    return cache_folder("proxies") / f"{identity}.safetensors"


def _forget_oldest(folder: Path, limit_gb: float) -> None:
    files = [(file, file.stat()) for file in folder.iterdir()]
    kept = 0
    for file, facts in sorted(files, key=lambda entry: entry[1].st_mtime, reverse=True):
        kept += facts.st_size
        if kept > limit_gb * 1e9:
            file.unlink(missing_ok=True)


def _hash(content: list[Any]) -> str:
    return hashlib.sha256(json.dumps([*content, _code_version()], sort_keys=True).encode()).hexdigest()[:24]


@lru_cache(maxsize=1)
def _code_version() -> str:
    """Hash of the source that builds, trains and scores, and of the versions of what it computes with."""
    content = hashlib.sha256(json.dumps([version(name) for name in ("torch", "diffusers")]).encode())
    for package in _DECIDING_PACKAGES:
        for path in sorted((Path(archlab.__file__).parent / package).rglob("*.py")):
            content.update(path.read_bytes())
    return content.hexdigest()
