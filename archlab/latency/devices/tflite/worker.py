"""Times TFLite files, one after the other, in a process of its own: ``python worker.py JOBS`` prints one JSON line.

Run as a file, not as a module: it imports next to nothing of archlab and no torch, so that its memory is the model's.
"""

import json
import resource
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from archlab.bursts import Wanted, reference_computation, time_until_quiet


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Load, run once, write the output, warm up, then time until enough runs were undisturbed."""
    from ai_edge_litert.interpreter import Interpreter

    start = time.perf_counter()
    interpreter = Interpreter(job["model"], num_threads=job["threads"])
    interpreter.allocate_tensors()
    load_ms = _since_ms(start)

    _set_inputs(interpreter, job["inputs"])
    first_run_ms = _time_ms(interpreter)
    np.save(job["output"], interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    for _ in range(job["warmup_runs"]):
        interpreter.invoke()

    timing = time_until_quiet(
        lambda: _time_ms(interpreter),
        reference_computation(job["threads"]),
        Wanted(**job["wanted"], threads=job["threads"]),
    )
    partitions, no_partitions = delegated_partitions(interpreter)
    return {
        "timing": asdict(timing),
        "load_ms": load_ms,
        "first_run_ms": first_run_ms,
        "peak_memory_mb": peak_memory_mb(),
        "partitions": partitions,
        "no_partitions": no_partitions,
        "cpu_seconds": time.process_time(),
    }


def peak_memory_mb() -> float:
    """Most resident memory of this process.

    Linux's getrusage still holds the peak of the process that started this one; its VmHWM does not.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def delegated_partitions(interpreter: Any) -> tuple[int | None, str | None]:
    """Pieces of the graph that delegates took; where that cannot be known None, and why.

    Reaches into a private part of ai-edge-litert, which has no public one for it. Written for its version 2.3.
    """
    try:
        operators = [operator["op_name"] for operator in interpreter._get_ops_details()]
    except Exception as error:  # whatever another version does, the times are still good
        return None, f"this ai-edge-litert does not list its operators: {type(error).__name__}: {error}"
    return operators.count("DELEGATE"), None


def _set_inputs(interpreter: Any, inputs_path: str) -> None:
    details = interpreter.get_signature_runner("serving_default").get_input_details()
    indices = {name: detail["index"] for name, detail in details.items()}
    with np.load(inputs_path) as inputs:
        if set(inputs) != set(indices):
            raise ValueError(f"the file takes {sorted(indices)} but was given {sorted(inputs)}")
        for name, index in indices.items():
            interpreter.set_tensor(index, inputs[name])


def _time_ms(interpreter: Any) -> float:
    start = time.perf_counter()
    interpreter.invoke()
    return _since_ms(start)


def _since_ms(start: float) -> float:
    return (time.perf_counter() - start) * 1000


if __name__ == "__main__":
    print(json.dumps([run(job) for job in json.loads(sys.argv[1])]), flush=True)
