"""Measure one network on one device."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypedDict, Unpack, overload

from archlab.architecture import UNetSpec
from archlab.errors import BadInput, RunFailed, nearest
from archlab.latency.cache import cache_path, cached, keep
from archlab.latency.devices.registry import runner
from archlab.latency.measurement import Latency, NoMeasurement
from archlab.latency.network import Network, as_network
from archlab.latency.runner import DeviceGone, Progress, Runner, Settings, silent
from archlab.latency.table.estimate import Estimate, estimate_on

MODES = ("measured", "table")
WAITS_S = (2.0, 5.0, 15.0, 30.0, 60.0)  # for a device that vanished


class Options(TypedDict, total=False):
    """`Settings` by name."""

    threads: int
    precision: str
    compute: str | None
    attention: str | None
    min_runs: int
    min_seconds: float
    processes: int
    timeout_s: float
    allow_throttled: bool
    seed: int


@overload
def measure(
    subject: UNetSpec | Network,
    device: str = ...,
    *,
    mode: Literal["measured"] = ...,
    progress: Progress | None = ...,
    use_cache: bool = ...,
    **settings: Unpack[Options],
) -> Latency: ...


@overload
def measure(
    subject: UNetSpec,
    device: str = ...,
    *,
    mode: Literal["table"],
    table: str | Path | None = ...,
    **settings: Unpack[Options],
) -> Estimate: ...


def measure(
    subject: UNetSpec | Network,
    device: str = "tflite",
    *,
    mode: str = "measured",
    table: str | Path | None = None,
    progress: Progress | None = None,
    use_cache: bool = True,
    **settings: Unpack[Options],
) -> Latency | Estimate:
    """Measure a network, or ``subject.deployed`` at its own size, with random weights: scale a spec first for another.

    A device that vanishes is waited for, up to `WAITS_S`, and measured on again.

    Args:
        device: a name as in `devices`.
        mode: ``table`` estimates a spec from the device's latency table instead, see `archlab.latency.table`.
        table: the table's file; by default the one that ``archlab latency-table build`` made without ``--out``.
        progress: called with a stage, ``convert``, ``measure`` or ``wait`` (for the device), and the fraction of it
            that is done.
        use_cache: give back an earlier measurement of the same network, settings, versions and machine; its
            provenance says ``"cached": True``.
        settings: see `Settings`.

    Raises:
        BadInput: no such device, it is not there, or it cannot measure with these settings; no such table, or it is of
            another device or other settings, damaged, or lacks a piece of the network.
        MissingExtra: an optional dependency is not installed.
        RunFailed: it cannot be converted or run, its output differs from torch's, what the device reports is no
            measurement, or the device vanished and did not come back.
    """
    if mode not in MODES:
        raise BadInput(f"mode: there is no {mode!r}{nearest(mode, MODES)}")
    chosen = runner(device)
    complete = completed(Settings(**settings), chosen)
    if mode == "table":
        if not isinstance(subject, UNetSpec):
            raise BadInput(f"mode: {subject.name} is no UNet; a table estimates UNets only")
        return estimate_on(subject, chosen, complete, table)
    network = as_network(subject)
    heard = progress or silent
    return _patiently(chosen, lambda: _measured(chosen, network, complete, use_cache, heard), heard)


def completed(settings: Settings, chosen: Runner) -> Settings:
    """The settings with the device's compute unit and attention form where none are asked for.

    Raises:
        BadInput: the device cannot measure with them.
    """
    complete = replace(
        settings,
        compute=settings.compute or next(iter(chosen.compute_units), None),
        attention=settings.attention or next(iter(chosen.attention_forms), None),
    )
    for name, value, valid in (
        ("precision", complete.precision, chosen.precisions),
        ("compute", complete.compute, chosen.compute_units),
        ("attention", complete.attention, chosen.attention_forms),
    ):
        if valid and value not in valid:
            raise BadInput(f"{name}: {chosen.name!r} has no {value!r}{nearest(str(value), valid)}")
    return complete


def _measured(chosen: Runner, network: Network, settings: Settings, use_cache: bool, progress: Progress) -> Latency:
    path = cache_path(network, chosen.name, settings, chosen.versions())
    if use_cache and (known := cached(path)) is not None:
        return known
    try:
        latency = chosen.measure(network, settings, progress)
    except NoMeasurement as error:
        raise RunFailed(f"{network.name} on {chosen.name!r} was not measured: {error}") from error
    if latency.provenance["kind"] == "measured":
        keep(latency, path)
    return latency


def _patiently(chosen: Runner, attempt: Callable[[], Latency], progress: Progress) -> Latency:
    """Try again when the device is back; a device that is there again and vanishes again has fewer waits left."""
    try:
        return attempt()
    except DeviceGone as error:
        reason = error
    for number, wait_s in enumerate(WAITS_S):
        progress("wait", number / len(WAITS_S))
        time.sleep(wait_s)
        if chosen.status().available:
            try:
                return attempt()
            except DeviceGone as error:
                reason = error
    raise RunFailed(f"{reason}; waited {sum(WAITS_S):.0f} s for it") from reason
