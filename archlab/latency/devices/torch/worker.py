"""Times one torch module in a process of its own: ``python worker.py JOBS`` prints one JSON line."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from archlab.bursts import Wanted, reference_computation, time_until_quiet
from archlab.latency.devices.tflite.worker import peak_memory_mb

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16}


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Load, run once, write the output, warm up, then time until enough runs were undisturbed."""
    torch.set_num_threads(job["threads"])
    unit, dtype = torch.device(job["unit"]), _DTYPES[job["precision"]]
    torch.load(job["module"], map_location="meta", weights_only=False)  # imports what it needs, outside the clock
    start = time.perf_counter()
    module: nn.Module = torch.load(job["module"], weights_only=False)  # written by this very measurement
    module.to(unit)
    _finish(unit)
    load_ms = (time.perf_counter() - start) * 1000

    inputs = _inputs(job["inputs"], unit, dtype)
    start = time.perf_counter()
    with torch.inference_mode():
        output = module(**inputs)
        _finish(unit)
        first_run_ms = (time.perf_counter() - start) * 1000
        np.save(job["output"], output.float().cpu().numpy())
        for _ in range(job["warmup_runs"]):
            module(**inputs)
        _finish(unit)
        time_ms = _cuda_time_ms if unit.type == "cuda" else _cpu_time_ms
        timing = time_until_quiet(
            lambda: time_ms(lambda: module(**inputs)),
            reference_computation(job["threads"]),
            Wanted(**job["wanted"], threads=0 if unit.type == "cuda" else job["threads"]),
        )
    return {
        "timing": asdict(timing),
        "load_ms": load_ms,
        "first_run_ms": first_run_ms,
        "peak_memory_mb": torch.cuda.max_memory_allocated() / 1e6 if unit.type == "cuda" else peak_memory_mb(),
        "partitions": None,
        "no_partitions": None,
        "cpu_seconds": time.process_time(),
    }


def _cpu_time_ms(forward: Callable[[], Tensor]) -> float:
    start = time.perf_counter()
    forward()
    return (time.perf_counter() - start) * 1000


def _cuda_time_ms(forward: Callable[[], Tensor]) -> float:
    """Between two events on the GPU's own stream."""
    before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]  # torch's
    before.record()
    forward()
    after.record()
    after.synchronize()
    return float(before.elapsed_time(after))


def _inputs(path: str, unit: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
    with np.load(path) as arrays:
        tensors = {name: torch.from_numpy(array).to(unit) for name, array in arrays.items()}
    return {name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


def _finish(unit: torch.device) -> None:
    if unit.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    print(json.dumps([run(job) for job in json.loads(sys.argv[1])]), flush=True)
