"""archlab's conversion to TFLite against litert-torch's, of the same networks with the same weights, one thread.

Prints one JSON line: of each network seconds of processor time (imports included, the building of the network not), the
most memory, file size, partitions, parity with torch, and latency: the fastest of the medians of processes in which the
two files are timed in turn. ``--whole`` converts SD 1.5 as released, by archlab alone (10 GB of memory to compare with
torch). ``--sampled N`` instead converts N sampled architectures of search_spaces/mobilediffusion.yaml at a small scale,
each of which must be one partition and equal torch.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from archlab.architecture import UNetSpec, preset
from archlab.convert import (
    PARITY_TOLERANCES,
    FlatInputs,
    example_inputs,
    parity_of,
    run_tflite,
    to_tflite,
    to_tflite_by_litert_torch,
    torch_output,
    unaccelerated_operators,
)
from archlab.space import load_space
from archlab.unet import build
from benchmarks.export_form import partitions, timed

SPACE = Path(__file__).parents[1] / "search_spaces" / "mobilediffusion.yaml"
CONVERTERS = {"ours": to_tflite, "theirs": to_tflite_by_litert_torch}


def network_spec(name: str) -> UNetSpec:
    """``tiny``, ``sampled-N`` at width 0.25 and 32×32, ``sd15-half`` at half width, ``sd15`` as released."""
    if name == "tiny":
        return preset("tiny")
    if name.startswith("sampled-"):
        return load_space(SPACE).sample(int(name.partition("-")[2])).scaled(width=0.25, sample_size=32)
    return preset("sd15").scaled(width=0.5) if name == "sd15-half" else preset("sd15")


def main() -> None:
    """Every conversion in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", default="tiny,sampled-0,sampled-1,sampled-2,sd15-half")
    parser.add_argument("--whole", action="store_true", help="SD 1.5 as released, too")
    parser.add_argument("--rounds", type=int, default=5, help="processes in which each file is timed")
    parser.add_argument("--sampled", type=int, metavar="N", help="convert so many sampled architectures instead")
    parser.add_argument("--convert", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.convert:
        print(json.dumps(convert(*arguments.convert)))
    elif arguments.sampled:
        print(json.dumps(sampled(arguments.sampled)))
    else:
        print(json.dumps(compared(arguments.networks.split(","), arguments.whole, arguments.rounds)))


def convert(whose: str, name: str, file: str) -> dict[str, float]:
    """In this process: convert, then compare with torch."""
    spec = network_spec(name)
    network, inputs = unet(spec), example_inputs(spec)
    cpu, wall = time.process_time(), time.perf_counter()
    CONVERTERS[whose](network, inputs, file)
    took = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}
    took["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    took["parity"] = parity_of(torch_output(network, inputs), run_tflite(file, inputs)).max_relative
    return took


def unet(spec: UNetSpec) -> FlatInputs:
    """With random weights, the norms' too: litert-torch leaves out those of 1 and 0."""
    torch.manual_seed(0)
    built = build(spec).eval()
    with torch.no_grad():
        for part in built.modules():
            if isinstance(part, torch.nn.GroupNorm | torch.nn.LayerNorm):
                part.weight.normal_(1, 0.1)
                part.bias.normal_(0, 0.1)
    return FlatInputs(built)


def compared(names: list[str], whole: bool, rounds: int) -> dict[str, Any]:
    """The benchmark's line."""
    rows = {name: row(name, ("ours", "theirs"), rounds) for name in names}
    both = list(rows.values())
    if whole:
        rows["sd15"] = row("sd15", ("ours",), 1)
    return {
        "benchmark": "conversion to TFLite",
        "ours": round(statistics.median(each["ours"]["cpu_s"] for each in both), 2),
        "theirs": round(statistics.median(each["theirs"]["cpu_s"] for each in both), 1),
        "unit": "s of processor time",
        "ratio": round(statistics.median(each["cpu_ratio"] for each in both), 1),
        "latency_ratio": round(statistics.median(each["latency_ratio"] for each in both), 3),
        "parity": max(each["ours"]["parity"] for each in rows.values()),
        "partitions": max(each["ours"]["partitions"] for each in rows.values()),
        "networks": rows,
        "threads": 1,
    }


def row(name: str, whose: tuple[str, ...], rounds: int) -> dict[str, Any]:
    """One network."""
    with tempfile.TemporaryDirectory() as folder:
        files = {one: Path(folder) / f"{one}.tflite" for one in whose}
        found: dict[str, Any] = {one: converted(one, name, file) for one, file in files.items()}
        times: dict[str, list[float]] = {one: [] for one in whose}
        for _ in range(rounds):
            for one, file in files.items():
                times[one].append(timed(file))
        for one in whose:
            found[one]["latency_ms"] = round(min(times[one]), 2)
    if len(whose) == 2:
        ours, theirs = (found[one] for one in whose)
        found["cpu_ratio"] = round(theirs["cpu_s"] / ours["cpu_s"], 1)
        found["latency_ratio"] = round(theirs["latency_ms"] / ours["latency_ms"], 3)
    return found


def converted(whose: str, name: str, file: Path) -> dict[str, Any]:
    """What one conversion took, and what came of it."""
    command = [sys.executable, "-m", "benchmarks.conversion", "--convert", whose, name, str(file)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    took: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    rounded = {key: float(f"{value:.3g}") for key, value in took.items()}
    return {**rounded, "file_mb": round(file.stat().st_size / 1e6, 2), "partitions": partitions(file)}


def sampled(number: int) -> dict[str, Any]:
    """Convert, run and compare, in this process, one after the other."""
    torch.set_num_threads(1)
    space, started, spent, worst, split = load_space(SPACE), time.perf_counter(), 0.0, 0.0, []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "unet.tflite"
        for seed in range(number):
            spec = space.sample(seed).deployed.scaled(width=0.05, sample_size=16)
            network, inputs = unet(spec), example_inputs(spec)
            begun = time.process_time()
            to_tflite(network, inputs, path)
            spent += time.process_time() - begun
            worst = max(worst, parity_of(torch_output(network, inputs), run_tflite(path, inputs)).max_relative)
            if unaccelerated_operators(path) != [] or partitions(path) != 1:
                split.append(seed)
    return {
        "benchmark": "conversion of sampled architectures",
        "ours": number,
        "unit": "architectures",
        "seconds": round(time.perf_counter() - started, 1),
        "conversion_cpu_s": round(spent, 1),
        "parity": worst,
        "within_tolerance": worst <= PARITY_TOLERANCES["fp32"],
        "not_one_partition": split,
    }


if __name__ == "__main__":
    main()
