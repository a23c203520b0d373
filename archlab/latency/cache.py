"""Measurements in the cache, by what decides them."""

from collections.abc import Mapping
from dataclasses import replace

from archlab.cache import Entry, Kind, content_hash
from archlab.errors import BadInput
from archlab.evaluation.fact import read_fact, to_json
from archlab.evaluation.latency import Latency
from archlab.latency.network import Network
from archlab.latency.settings import Settings
from archlab.versions import MEASURING

MEASUREMENTS = Kind("measurements", "latencies as they were measured")


def measurement_entry(network: Network, device: str, settings: Settings, versions: Mapping[str, str]) -> Entry:
    """Where a measurement is cached: named by the hash of network, device, settings and versions.

    The time-outs are left out: they decide whether there is a number, not which.
    """
    deciding = settings.model_dump(exclude={"timeout_s", "quiet_timeout_s"})
    return MEASUREMENTS.entry(f"{content_hash(MEASURING, network.id, device, deciding, dict(versions))}.json")


def cached_measurement(entry: Entry) -> Latency | None:
    """The measurement, its provenance marked ``cached``; None where there is none that can be read."""
    path = entry.use()
    if path is None:
        return None
    try:
        latency = read_fact(Latency, path)
    except BadInput:
        return None
    return replace(latency, provenance={**latency.provenance, "cached": True})


def keep_measurement(latency: Latency, entry: Entry) -> None:
    """Cache it, if the disk has room."""
    content = to_json(latency)
    entry.keep(lambda path: path.write_text(content, encoding="utf-8"))
