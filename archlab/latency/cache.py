"""Measurements already made, found again by what decides them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from archlab.architecture import UNetSpec
from archlab.files import cache_folder, write_text
from archlab.latency.measurement import Latency
from archlab.latency.runner import Settings


def cached(path: Path) -> Latency | None:
    """The measurement kept at ``path``, its provenance marked ``cached``; None when none can be read."""
    try:
        latency = Latency.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return replace(latency, provenance={**latency.provenance, "cached": True})


def keep(latency: Latency, path: Path) -> None:
    """Write the measurement, whole or not at all."""
    write_text(path, json.dumps(latency.to_dict()))


def cache_path(spec: UNetSpec, device: str, settings: Settings, versions: Mapping[str, str]) -> Path:
    """Where a measurement is kept: named by the hash of architecture, device, settings and versions."""
    key = {
        "spec": spec.deployed.id,
        "device": device,
        "settings": asdict(settings),
        "versions": dict(versions),
    }
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
    return cache_folder("latency") / f"{digest}.json"
