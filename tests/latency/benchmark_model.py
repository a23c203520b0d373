"""A stand-in for TFLite's ``benchmark_model``: runs the file with ai-edge-litert, prints what the real programs print.

``python benchmark_model.py PROGRAM GPU_TAKES FLAGS``: PROGRAM is ``classic``, ``new`` or ``old`` (classic without
percentiles, ``--help`` and memory); GPU_TAKES is ``all``, ``part`` or ``nothing``. The formats are those of
tensorflow/lite/tools/benchmark/benchmark_model.cc and litert/tools/benchmark_litert_model.h.
"""

import resource
import statistics
import sys
import time
from typing import Any

SHARED = ["graph", "num_threads", "num_runs", "min_secs", "max_secs", "warmup_runs", "warmup_min_secs"]
DELEGATION = ["use_gpu", "require_full_delegation"]
FLAGS = {
    "old": [*SHARED, *DELEGATION, "use_xnnpack"],
    "classic": [*SHARED, *DELEGATION, "report_peak_memory_footprint", "use_xnnpack", "use_nnapi", "help"],
    "new": [
        *SHARED,
        *DELEGATION,
        "report_peak_memory_footprint",
        "use_cpu",
        "use_npu",
        "dispatch_library_path",
        "help",
    ],
}


def main(program: str, gpu_takes: str, arguments: list[str]) -> int:
    """Returns the exit code."""
    given = dict(argument.removeprefix("--").partition("=")[::2] for argument in arguments)
    flags = {name: value for name, value in given.items() if name in FLAGS[program]}
    log("STARTING!")
    if "help" in flags:
        log("usage: benchmark_model <flags>\nFlags:", "ERROR")
        for name in FLAGS[program]:
            print(f"\t--{name}=\tstring\toptional\t")
        return 1
    if unknown := [argument for argument in arguments if argument[2:].partition("=")[0] not in flags]:
        log(f"Unconsumed cmdline flags: {' '.join(unknown)}", "WARN")
    if "graph" not in flags:
        log("Please specify the name of your TF Lite input file with --graph", "ERROR")
        return 1
    return benchmark(program, gpu_takes, flags)


def benchmark(program: str, gpu_takes: str, flags: dict[str, str]) -> int:
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    start = time.perf_counter()
    interpreter = Interpreter(flags["graph"], num_threads=int(flags["num_threads"]))
    interpreter.allocate_tensors()
    init_us = since_us(start)
    kernels = [operation["op_name"] for operation in interpreter._get_ops_details()].count("DELEGATE")
    if not tell_delegation(program, gpu_takes, flags, kernels):
        log("Benchmarking failed.", "ERROR")
        return 1
    log(f"Initialized session in {init_us / 1e3:g}ms.")
    for details in interpreter.get_input_details():
        interpreter.set_tensor(
            details["index"], np.random.uniform(-0.5, 0.5, details["shape"]).astype(details["dtype"])
        )
    warm_up = run(interpreter, int(flags["warmup_runs"]), float(flags["warmup_min_secs"]), flags, program)
    timed = run(interpreter, int(flags["num_runs"]), float(flags["min_secs"]), flags, program)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    watched = flags.get("report_peak_memory_footprint") == "true"
    if program == "new":
        log(f"Model initialization: {init_us / 1e3:.2f} ms")
        log(f"Warmup (first):       {warm_up[0] / 1e3:.2f} ms")
        if watched:
            log(f"Peak memory:          {peak_mb:.2f} MB")
    else:
        log(
            f"Inference timings in us: Init: {init_us}, First inference: {warm_up[0]}, "
            f"Warmup (avg): {statistics.fmean(warm_up):g}, Inference (avg): {statistics.fmean(timed):g}"
        )
        if watched:
            log(f"Overall peak memory footprint (MB) via periodic monitoring: {peak_mb:g}")
    return 0


def tell_delegation(program: str, gpu_takes: str, flags: dict[str, str], kernels: int) -> bool:
    """Log what the delegate took. Returns whether the program goes on."""
    on_cpu = flags.get("use_gpu") != "true"
    name, takes = ("XNNPACK", "all" if kernels == 1 else "part") if on_cpu else ("GPU", gpu_takes)
    if flags.get("require_full_delegation") == "true" and takes != "all":
        log("Disallowed CPU fallback detected.", "ERROR")
        return False
    if program == "new":
        return True
    if takes == "all":
        log(f"Explicitly applied {name} delegate, and the model graph will be completely executed by the delegate.")
    elif takes == "part":
        log(
            f"Explicitly applied {name} delegate, and the model graph will be partially executed by the delegate "
            f"w/ {kernels + 1} delegate kernels."
        )
    else:
        log(f"Though {name} delegate is explicitly applied, the model graph will not be executed by the delegate.")
    return True


def run(interpreter: Any, least_runs: int, least_seconds: float, flags: dict[str, str], program: str) -> list[int]:
    log(
        f"Running benchmark for at least {least_runs} iterations and at least {least_seconds:g} seconds but terminate "
        f"if exceeding {float(flags['max_secs']):g} seconds."
    )
    samples: list[int] = []
    start = time.perf_counter()
    while len(samples) < least_runs or time.perf_counter() - start < least_seconds:
        run_start = time.perf_counter()
        interpreter.invoke()
        samples.append(since_us(run_start))
    log(f"{shown(samples, percentiles=program != 'old')}\n")
    return samples


def shown(samples: list[int], percentiles: bool) -> str:
    """tsl::Stat's OutputToStream."""
    if len(set(samples)) == 1:
        return f"count={len(samples)} curr={samples[-1]}" + "(all same)" * (len(samples) > 1)
    text = (
        f"count={len(samples)} first={samples[0]} curr={samples[-1]} min={min(samples)} max={max(samples)} "
        f"avg={statistics.fmean(samples):g} std={int(statistics.pstdev(samples))}"
    )
    if percentiles:
        p5, median, p95 = (sorted(samples)[round(share * (len(samples) - 1))] for share in (0.05, 0.5, 0.95))
        text += f" p5={p5} median={median} p95={p95}"
    return text


def log(text: str, severity: str = "INFO") -> None:
    print(f"{severity}: {text}", file=sys.stderr, flush=True)


def since_us(start: float) -> int:
    return max(1, round((time.perf_counter() - start) * 1e6))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
