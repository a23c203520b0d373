"""Measure one network on one device."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from archlab.architecture import UNetSpec
from archlab.errors import RunFailed
from archlab.evaluation.latency import Latency, NoMeasurement
from archlab.latency.cache import cached_measurement, keep_measurement, measurement_entry
from archlab.latency.devices.registry import runner
from archlab.latency.lock import DeviceLock, unlocked
from archlab.latency.network import Network, as_network
from archlab.latency.runner import DeviceGone, GroupRunner, Runner, completed
from archlab.latency.settings import Settings, read_settings
from archlab.progress import Progress, silent

Doubt = Callable[[Latency], str | None]

_AGAIN = "measured_again"
WAITS_S = (2.0, 5.0, 15.0, 30.0, 60.0)  # for a device that vanished


def trusting(latency: Latency) -> None:
    """Doubts nothing."""


def measure(
    subject: UNetSpec | Network,
    device: str = "tflite",
    *,
    progress: Progress | None = None,
    use_cache: bool = True,
    lock: DeviceLock = unlocked,
    doubt: Doubt = trusting,
    **settings: Any,
) -> Latency:
    """Measure a network, or ``subject.deployed`` at its own size, with random weights: scale a spec first for another.

    A device that vanishes is waited for, up to `WAITS_S`, and measured on again.

    Args:
        device: a name as in `devices`.
        progress: called with a stage, ``convert``, ``measure`` or ``wait`` (for the device), and the fraction of it
            that is done.
        use_cache: give back an earlier measurement of the same network, settings, versions and machine; its
            provenance says ``"cached": True``. A noisy measurement is never given back.
        lock: gives exclusive use of the device; held while it is timed on or waited for, not while the network is
            converted.
        doubt: why a latency is measured once more before it is believed; None where it is not. Of the two the quieter
            one is believed, of two quiet ones the lesser: disturbances only add. The provenance of that has the other
            one under ``measured_again``.
        settings: see `archlab.latency.settings.Settings`.

    Raises:
        BadInput: no such device, it is not there, or it cannot measure with these settings.
        MissingExtra: an optional dependency is not installed.
        RunFailed: it cannot be converted or run, its output differs from torch's, what the device reports is no
            measurement, or the device vanished and did not come back.
    """
    chosen = runner(device)
    complete = completed(read_settings(settings), chosen)
    network, report = as_network(subject), progress or silent

    def attempt() -> Latency:
        return _measured(chosen, network, complete, use_cache, report, lock, doubt)

    return _until_back(chosen, attempt, report, lock)


def measure_group(networks: Sequence[Network], device: str, **settings: Any) -> list[Latency]:
    """Measure networks one after the other, anew; in one process, where the device can.

    Raises:
        As `measure` does.
    """
    chosen = runner(device)
    if not isinstance(chosen, GroupRunner):
        return [measure(network, device, use_cache=False, **settings) for network in networks]
    complete = completed(read_settings(settings), chosen)
    try:
        return chosen.measure_group(networks, complete, silent)
    except NoMeasurement as error:
        raise RunFailed(f"a network on {chosen.name!r} was not measured: {error}") from error


def _measured(
    chosen: Runner,
    network: Network,
    settings: Settings,
    use_cache: bool,
    progress: Progress,
    lock: DeviceLock,
    doubt: Doubt,
) -> Latency:
    def anew() -> Latency:
        try:
            return chosen.measure(network, settings, progress, lock)
        except NoMeasurement as error:
            raise RunFailed(f"{network.name} on {chosen.name!r} was not measured: {error}") from error

    entry = measurement_entry(network, chosen.name, settings, chosen.versions(settings))
    known = cached_measurement(entry) if use_cache else None
    latency = known or anew()
    if latency.kind == "replayed":
        return latency
    if _AGAIN not in latency.provenance and (why := doubt(latency)) is not None:
        latency = _more_credible(latency, anew(), why)
    if latency != known and not latency.noisy:
        keep_measurement(latency, entry)
    return latency


def _more_credible(first: Latency, second: Latency, why: str) -> Latency:
    believed, other = sorted((first, second), key=lambda latency: (latency.noisy, latency.median_ms))
    told = {"because": why, "other_median_ms": other.median_ms, "other_noise": other.noise}
    return replace(believed, provenance={**believed.provenance, _AGAIN: told})


def _until_back(chosen: Runner, attempt: Callable[[], Latency], progress: Progress, lock: DeviceLock) -> Latency:
    """Try again when the device is back; a device that is there again and vanishes again has fewer waits left."""
    try:
        return attempt()
    except DeviceGone as error:
        reason = error
    for number, wait_s in enumerate(WAITS_S):
        with lock(chosen.resource):
            progress("wait", number / len(WAITS_S))
            time.sleep(wait_s)
            is_back = chosen.status().available
        if is_back:
            try:
                return attempt()
            except DeviceGone as error:
                reason = error
    raise RunFailed(f"{reason}; waited {sum(WAITS_S):.0f} s for it") from reason
