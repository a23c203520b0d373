"""archlab's export form against diffusers' UNet converted straight by litert-torch: same architecture, same weights,
one thread, in one run. Prints one JSON line; ``--full`` takes SD 1.5 as released (12 GB of memory, some minutes)."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter
from torch import Tensor, nn

from archlab.architecture import UNetSpec, preset
from archlab.convert import (
    FlatInputs,
    example_inputs,
    operator_profile,
    parity_of,
    run_tflite,
    to_tflite,
    to_tflite_by_litert_torch,
    torch_output,
)
from archlab.cost import count
from archlab.surgery.litert_operators import operators
from archlab.unet import build, to_diffusers

MATRIX_PRODUCTS = ("GEMM", "Convolution")
PROBE_SIZES = (4096, 1152, 1280)  # rows, inputs, outputs of a matrix product in which nothing but arithmetic counts


class Diffusers(nn.Module):
    """diffusers' UNet as a function of tensors alone."""

    def __init__(self, unet: nn.Module) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, sample: Tensor, timestep: Tensor, context: Tensor) -> Tensor:
        """[1, C, S, S]"""
        out: Tensor = self.unet(sample, timestep, context, return_dict=False)[0]
        return out


def main() -> None:
    """Convert both ways, time the files in turn, each time in a new process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="SD 1.5 as released instead of half its width at 32 × 32")
    parser.add_argument("--rounds", type=int, default=5, help="processes for each file")
    parser.add_argument("--time", metavar="FILE", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.time:
        print(run_ms(arguments.time))
        return
    spec = preset("sd15")
    spec = spec if arguments.full else spec.scaled(width=0.5, sample_size=32)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(compared(spec, Path(folder), arguments.rounds)))


def compared(spec: UNetSpec, folder: Path, rounds: int) -> dict[str, Any]:
    """The benchmark's line."""
    files = {name: folder / f"{name}.tflite" for name in ("ours", "theirs", "probe")}
    inputs = example_inputs(spec)
    expected = convert_both(spec, inputs, files["ours"], files["theirs"])
    to_tflite(nn.Linear(*PROBE_SIZES[1:]), {"input": torch.randn(PROBE_SIZES[:2])}, files["probe"])
    times: dict[str, list[float]] = {name: [] for name in files}
    for _ in range(rounds):
        for name, file in files.items():
            times[name].append(timed(file))
    ours_ms, theirs_ms, probe_ms = (statistics.median(times[name]) for name in files)
    ours_least_ms, theirs_least_ms, _ = (min(times[name]) for name in files)
    macs_per_ms = float(np.prod(PROBE_SIZES)) / probe_ms
    products_ms = count(spec).macs / macs_per_ms
    profile = operator_profile(files["ours"])
    in_products = sum(row.ms for row in profile if any(word in row.name for word in MATRIX_PRODUCTS))
    return {
        "benchmark": "export form of sd15",
        "channels": spec.stages[0].channels,
        "sample_size": spec.sample_size,
        "ours": round(ours_ms, 1),
        "theirs": round(theirs_ms, 1),
        "unit": "ms",
        "ratio": round(theirs_ms / ours_ms, 3),
        "ratio_of_the_fastest": round(theirs_least_ms / ours_least_ms, 3),
        "partitions": partitions(files["ours"]),
        "partitions_theirs": partitions(files["theirs"]),
        "parity": parity_of(expected, run_tflite(files["ours"], inputs)).max_relative,
        "parity_theirs": parity_of(expected, run_tflite(files["theirs"], inputs)).max_relative,
        "gmacs_per_s_of_the_probe": round(macs_per_ms / 1e6, 1),
        "matrix_products_ms": round(products_ms, 1),
        "share_of_the_probes_speed": round(products_ms / ours_ms, 3),
        "share_in_matrix_products": round(in_products / sum(row.ms for row in profile), 3),
        "threads": 1,
        "processes": rounds,
    }


def convert_both(spec: UNetSpec, inputs: dict[str, Tensor], ours: Path, theirs: Path) -> "np.ndarray[Any, Any]":
    """Write both files, one network in memory at a time; returns torch's output."""
    torch.manual_seed(0)
    unet = build(spec).eval()
    network = FlatInputs(unet)
    to_tflite(network, inputs, ours)
    expected = torch_output(network, inputs)
    to_tflite_by_litert_torch(Diffusers(to_diffusers(unet)), inputs, theirs)
    return expected


def timed(file: Path) -> float:
    """Milliseconds of a run, in a new process."""
    command = [sys.executable, __file__, "--time", str(file)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return float(done.stdout)


def run_ms(file: str) -> float:
    """The median of runs over at least one second, after one to warm up."""
    interpreter = Interpreter(file, num_threads=1)
    interpreter.allocate_tensors()
    for tensor in interpreter.get_input_details():
        interpreter.set_tensor(tensor["index"], np.ones(tensor["shape"], tensor["dtype"]))
    interpreter.invoke()
    runs_ms: list[float] = []
    while len(runs_ms) < 3 or sum(runs_ms) < 1000:
        started = time.perf_counter()
        interpreter.invoke()
        runs_ms.append((time.perf_counter() - started) * 1000)
    return statistics.median(runs_ms)


def partitions(file: Path) -> int:
    """Pieces handed to XNNPACK."""
    interpreter = Interpreter(str(file), num_threads=1)
    interpreter.allocate_tensors()
    return [operator.name for operator in operators(interpreter) or []].count("DELEGATE")


if __name__ == "__main__":
    os.environ["LITERT_TORCH_SHOW_PROGRESS"] = "n"
    main()
