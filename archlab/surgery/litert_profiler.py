"""Profiles one TFLite file in a process of its own: ``python litert_profiler.py JOB.json`` prints one JSON line.

Written for ai-edge-litert 2.3: it speaks LiteRT's C interface, whose layout no release promises. So it may crash, and
runs as a file in a process of its own; `archlab.convert.operator_profile` says so in one line then.
"""

import ctypes
import json
import sys
from ctypes import c_char_p, c_int, c_int32, c_size_t, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any

import ai_edge_litert
import numpy as np
from ai_edge_litert.interpreter import Interpreter

LITERT = ctypes.CDLL(str(Path(ai_edge_litert.__file__).with_name("libLiteRt.so")))
CPU = 1
WRITE = 1
DELEGATED_OPERATOR = 1 << 3
OPERATOR = 1 << 1
ELEMENT_TYPES = {np.dtype(np.float32): 1, np.dtype(np.int32): 2, np.dtype(np.int64): 4}
WARMUP_RUNS = 2


class Layout(ctypes.Structure):
    """LiteRtLayout: the rank in seven bits, sizes, strides."""

    _fields_ = [("rank", c_uint32), ("sizes", c_int32 * 8), ("strides", c_uint32 * 8)]  # ctypes' way


class TensorType(ctypes.Structure):
    """LiteRtRankedTensorType."""

    _fields_ = [("element", c_int32), ("layout", Layout)]


class Event(ctypes.Structure):
    """ProfiledEventData."""

    _fields_ = [
        ("tag", c_char_p),
        ("kind", c_uint32),
        ("start_us", c_uint64),
        ("elapsed_us", c_uint64),
        ("memory", c_size_t * 6),
        ("metadata", c_uint64 * 2),
        ("source", c_int),
    ]


def main(job_path: str) -> None:
    """Read the job, run, print the operators' names, calls and milliseconds of one run."""
    job = json.loads(Path(job_path).read_text(encoding="utf-8"))
    model = Model(job["model"])
    for _ in range(WARMUP_RUNS):
        model.run()
    events = model.profiled(job["runs"])
    print(json.dumps([(tag, microseconds / 1000) for tag, microseconds in events]), flush=True)


class Model:
    """A compiled model with profiling switched on, and buffers full of ones."""

    def __init__(self, path: str) -> None:
        environment, model, options, profiling = c_void_p(), c_void_p(), c_void_p(), c_void_p()
        self.compiled, self.profiler = c_void_p(), c_void_p()
        self._text = ctypes.create_string_buffer(b"enable_profiling = true\n")
        self._keep = ctypes.CFUNCTYPE(None, c_void_p)(lambda _: None)
        call("LiteRtCreateEnvironment", 0, None, ctypes.byref(environment))
        call("LiteRtCreateModelFromFile", environment, path.encode(), ctypes.byref(model))
        call("LiteRtCreateOptions", ctypes.byref(options))
        call("LiteRtSetOptionsHardwareAccelerators", options, CPU)
        name = b"runtime_options_string"
        call("LiteRtCreateOpaqueOptions", name, self._text, self._keep, ctypes.byref(profiling))
        call("LiteRtAddOpaqueOptions", options, profiling)
        call("LiteRtCreateCompiledModel", environment, model, options, ctypes.byref(self.compiled))
        call("LiteRtCompiledModelGetProfiler", self.compiled, ctypes.byref(self.profiler))
        interpreter = Interpreter(path)
        self.inputs = self._buffers(environment, "Input", interpreter.get_input_details())
        self.outputs = self._buffers(environment, "Output", interpreter.get_output_details())

    def run(self) -> None:
        """One forward pass."""
        sizes = c_size_t(len(self.inputs)), c_size_t(len(self.outputs))
        call("LiteRtRunCompiledModel", self.compiled, c_size_t(0), sizes[0], self.inputs, sizes[1], self.outputs)

    def profiled(self, runs: int) -> list[tuple[str, float]]:
        """Every operator that ran, with its microseconds."""
        call("LiteRtStartProfiler", self.profiler)
        for _ in range(runs):
            self.run()
        call("LiteRtStopProfiler", self.profiler)
        count = c_int()
        call("LiteRtGetNumProfilerEvents", self.profiler, ctypes.byref(count))
        events = (Event * count.value)()
        call("LiteRtGetProfilerEvents", self.profiler, count, events)
        return [
            (event.tag.decode(), event.elapsed_us)
            for event in events
            if event.tag and event.kind in (OPERATOR, DELEGATED_OPERATOR)
        ]

    def _buffers(self, environment: c_void_p, side: str, tensors: list[dict[str, Any]]) -> "ctypes.Array[c_void_p]":
        buffers = (c_void_p * len(tensors))()
        for index, tensor in enumerate(tensors):
            needs, buffer, memory = c_void_p(), c_void_p(), c_void_p()
            where = (self.compiled, c_size_t(0), c_size_t(index))
            call(f"LiteRtGetCompiledModel{side}BufferRequirements", *where, ctypes.byref(needs))
            kind = TensorType(ELEMENT_TYPES[np.dtype(tensor["dtype"])], Layout(len(tensor["shape"])))
            kind.layout.sizes[: len(tensor["shape"])] = [int(size) for size in tensor["shape"]]
            made = (environment, ctypes.byref(kind), needs, ctypes.byref(buffer))
            call("LiteRtCreateManagedTensorBufferFromRequirements", *made)
            call("LiteRtLockTensorBuffer", buffer, ctypes.byref(memory), WRITE)
            ones = np.ones(tensor["shape"], tensor["dtype"])
            ctypes.memmove(memory, ones.ctypes.data, ones.nbytes)
            call("LiteRtUnlockTensorBuffer", buffer)
            buffers[index] = buffer.value
        return buffers


def call(name: str, *arguments: Any) -> None:
    """Call the C function; what it returns must be zero."""
    status = getattr(LITERT, name)(*arguments)
    if status:
        raise RuntimeError(f"{name} gave status {status}")


if __name__ == "__main__":
    main(sys.argv[1])
