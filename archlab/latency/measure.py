"""Measure one architecture on one device."""

from archlab.architecture import UNetSpec
from archlab.latency.cache import cache_path, cached, keep
from archlab.latency.devices import runner
from archlab.latency.measurement import Latency
from archlab.latency.runner import Progress, Settings


def measure(
    spec: UNetSpec,
    device: str = "tflite",
    *,
    threads: int = 1,
    precision: str = "fp32",
    min_runs: int = 20,
    min_seconds: float = 1.0,
    seed: int = 0,
    progress: Progress | None = None,
    use_cache: bool = True,
) -> Latency:
    """Measure ``spec.deployed`` with random weights at its own size: scale the spec first for another.

    Args:
        min_runs, min_seconds: timed runs go on until both are reached.
        progress: called with a stage, ``convert`` or ``measure``, and the fraction of it that is done.
        use_cache: give back an earlier measurement of the same network, settings, versions and machine; its
            provenance says ``"cached": True``.

    Raises:
        BadInput: no such device, or settings that cannot be measured with.
        MissingExtra: an optional dependency is not installed.
        RunFailed: it cannot be converted or run, or its output differs from torch's.
    """
    settings = Settings(threads=threads, precision=precision, min_runs=min_runs, min_seconds=min_seconds, seed=seed)
    chosen = runner(device)
    path = cache_path(spec, device, settings, chosen.versions())
    if use_cache and (known := cached(path)) is not None:
        return known
    latency = chosen.measure(spec, settings, progress or _silent)
    keep(latency, path)
    return latency


def _silent(stage: str, fraction: float) -> None:
    """No progress is shown."""
