"""Measurements already made, found again by what decides them."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from archlab.files import cache_folder, write_text
from archlab.latency.measurement import Latency
from archlab.latency.network import Network, content_hash
from archlab.latency.runner import Settings


def cached(path: Path) -> Latency | None:
    """The measurement kept at ``path``, its provenance marked ``cached``; None when none can be read."""
    try:
        latency = Latency.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return replace(latency, provenance={**latency.provenance, "cached": True})


def keep(latency: Latency, path: Path) -> None:
    """Write the measurement, whole or not at all. A full disk costs the next one its time, not this one its result."""
    with suppress(OSError):
        write_text(path, json.dumps(latency.to_dict()))


def cache_path(network: Network, device: str, settings: Settings, versions: Mapping[str, str]) -> Path:
    """Where a measurement is kept: named by the hash of network, device, settings and versions.

    The time-out is left out: it decides whether there is a number, not which.
    """
    deciding = {name: value for name, value in asdict(settings).items() if name != "timeout_s"}
    return cache_folder("latency") / f"{content_hash(network.id, device, deciding, dict(versions))}.json"
