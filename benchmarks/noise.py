"""Latencies beside a load that comes in bursts, against the same on a quiet computer. Prints one JSON line.

By default ten architectures of search_spaces/mobilediffusion.yaml at width 0.25 and 32×32, from the smallest to the
largest, TFLite, one thread: about three minutes. The load keeps every core busy for 0.1 to 2 seconds and leaves it
alone for as long. *Theirs* is the median of all runs of one second. Run it on a quiet computer: what was noisy or left
out when it was to be quiet says whether it was one.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import cpu_count
from pathlib import Path
from statistics import fmean, median

from scipy.stats import kendalltau

from archlab.architecture import UNetSpec
from archlab.cost import count
from archlab.latency import Latency, measure
from archlab.latency.devices.tflite.file import tflite_file
from archlab.latency.network import unet_network
from archlab.latency.settings import Settings
from archlab.progress import silent
from archlab.space import load_space

SPACE = Path(__file__).parents[1] / "search_spaces" / "mobilediffusion.yaml"
_DRAWN_FOR_EACH = 6


@dataclass(frozen=True)
class Round:
    """All architectures, measured one after the other.

    Attributes:
        plain_ms: medians of all runs of one second each.
        seconds: that a measurement took, with the process and without the conversion.
    """

    latencies: list[Latency]
    plain_ms: list[float]
    seconds: float

    @property
    def ms(self) -> list[float]:
        """Medians."""
        return [latency.median_ms for latency in self.latencies]


def main() -> None:
    """Quiet, then beside the load."""
    arguments = _arguments()
    if arguments.load is not None:
        _load(arguments.load)
    specs = _architectures(arguments)
    quiet = _round(specs, arguments.threads, "quiet")
    with _loaded():
        loaded = _round(specs, arguments.threads, "loaded")
    trusted = [not latency.noisy for latency in loaded.latencies]
    off, plain_off = _off_percent(quiet.ms, loaded.ms), _off_percent(quiet.plain_ms, loaded.plain_ms)
    worst = max((each for each, is_trusted in zip(off, trusted, strict=True) if is_trusted), default=None)
    print(
        json.dumps(
            {
                "benchmark": f"latency of {len(specs)} architectures beside a load in bursts, at most off",
                "ours": worst,
                "theirs": max(plain_off),
                "unit": "%",
                "ratio": None if not worst else max(plain_off) / worst,
                "kendall_tau": _tau(quiet.ms, loaded.ms),
                "plain_kendall_tau": _tau(quiet.plain_ms, loaded.plain_ms),
                "marked_noisy": trusted.count(False),
                "worst_marked_percent": max(
                    (each for each, t in zip(off, trusted, strict=True) if not t), default=None
                ),
                "off_percent": off,
                "plain_off_percent": plain_off,
                "quiet_ms": quiet.ms,
                "noisy_when_quiet": sum(latency.noisy for latency in quiet.latencies),
                "left_out_when_quiet": sum(latency.left_out for latency in quiet.latencies),
                "seconds_each_quiet": quiet.seconds,
                "seconds_each_loaded": loaded.seconds,
                "threads": arguments.threads,
            }
        )
    )


def _architectures(arguments: argparse.Namespace) -> list[UNetSpec]:
    """Spread over the MACs of a random sample."""
    space, source = load_space(arguments.space), random.Random(0)
    drawn = [space.spec(space.sample_values(source)) for _ in range(_DRAWN_FOR_EACH * arguments.architectures)]
    scaled = {spec.id: spec.scaled(width=arguments.width, sample_size=arguments.sample_size) for spec in drawn}
    by_macs = sorted(scaled.values(), key=lambda spec: count(spec).macs)
    last = arguments.architectures - 1
    return [by_macs[round(index * (len(by_macs) - 1) / last)] for index in range(last + 1)]


def _round(specs: Sequence[UNetSpec], threads: int, name: str) -> Round:
    latencies, plain_ms, seconds = [], [], []
    for number, spec in enumerate(specs):
        model = tflite_file(unet_network(spec), Settings(attention="plain"), silent).model
        plain_ms.append(_plain_ms(model, threads))
        start = time.perf_counter()
        latencies.append(measure(spec, "tflite", threads=threads, use_cache=False))
        seconds.append(time.perf_counter() - start)
        print(f"{name} {number + 1}/{len(specs)}: {latencies[-1].median_ms:.2f} ms", file=sys.stderr, flush=True)
    return Round(latencies, plain_ms, fmean(seconds))


def _plain_ms(model: Path, threads: int) -> float:
    """As one would by hand: warm up, then time for a second."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(model), num_threads=threads)
    interpreter.allocate_tensors()
    for _ in range(3):
        interpreter.invoke()
    samples_ms: list[float] = []
    begun = time.perf_counter()
    while len(samples_ms) < 20 or time.perf_counter() - begun < 1:
        start = time.perf_counter()
        interpreter.invoke()
        samples_ms.append((time.perf_counter() - start) * 1000)
    return median(samples_ms)


@contextmanager
def _loaded() -> Iterator[None]:
    """A program for every core."""
    programs = [subprocess.Popen([sys.executable, __file__, "--load", str(core)]) for core in range(cpu_count() or 1)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def _load(seed: int) -> None:
    """Compute and sleep in turn until it is killed."""
    source = random.Random(seed)
    while True:
        end = time.perf_counter() + source.uniform(0.1, 2.0)
        while time.perf_counter() < end:
            sum(range(1000))
        time.sleep(source.uniform(0.1, 2.0))


def _off_percent(quiet_ms: Sequence[float], loaded_ms: Sequence[float]) -> list[float]:
    return [100 * abs(loaded / quiet - 1) for quiet, loaded in zip(quiet_ms, loaded_ms, strict=True)]


def _tau(one: Sequence[float], other: Sequence[float]) -> float:
    return float(kendalltau(one, other).statistic)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", type=Path, default=SPACE)
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--sample-size", type=int, default=32)
    parser.add_argument("--architectures", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--load", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
