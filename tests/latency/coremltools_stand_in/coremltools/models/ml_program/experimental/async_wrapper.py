"""Reads the package with the real reader and "predicts" torch's output for exactly this package and these inputs."""

import filecmp
import os
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from coremltools import ComputeUnit
from coremltools.libmodelpackage import ModelPackage
from coremltools.proto import Model_pb2

PREDICT_SECONDS = 0.002


class MLModelAsyncWrapper:
    @staticmethod
    def from_spec_or_path(spec_or_path, weights_dir, compute_units, device=None):
        return MLModelAsyncWrapper(Path(spec_or_path), compute_units, device)

    def __init__(self, package, compute_units, device):
        assert isinstance(compute_units, ComputeUnit)
        self.package, self.compute_units, self.device = package, compute_units, device
        self.load_duration_in_nano_seconds = self.last_predict_duration_in_nano_seconds = None

    async def load(self):
        print("Core ML talks on the standard output")
        self.spec = Model_pb2.Model()
        self.spec.ParseFromString(Path(ModelPackage(str(self.package)).getRootModel().path()).read_bytes())
        assert self.spec.WhichOneof("Type") == "mlProgram"
        if "STAND_IN_REFUSES" in os.environ:
            warnings.warn(os.environ["STAND_IN_REFUSES"], RuntimeWarning, stacklevel=1)
            raise ValueError("Failed to load model")
        time.sleep(float(os.environ.get("STAND_IN_LOAD_SECONDS", 0.01)))
        self.load_duration_in_nano_seconds = 9_000_000

    async def predict(self, inputs, state=None):
        start = time.perf_counter_ns()
        if "STAND_IN_UNPLUGS" in os.environ:
            Path(os.environ["STAND_IN_UNPLUGS"]).write_text('{"result": {"devices": []}}')
            raise RuntimeError("The device session is not active")
        for described in self.spec.description.input:
            assert list(inputs[described.name].shape) == list(described.type.multiArrayType.shape)
        assert len(inputs) == len(self.spec.description.input)
        time.sleep(float(os.environ.get("STAND_IN_PREDICT_SECONDS", PREDICT_SECONDS)))
        output = self._torchs_output(inputs) + float(os.environ.get("STAND_IN_ERROR", 0))
        self.last_predict_duration_in_nano_seconds = time.perf_counter_ns() - start
        return {self.spec.description.output[0].name: output}

    def _torchs_output(self, inputs):
        for folder in Path(os.environ["STAND_IN_CONVERTED"]).iterdir():
            if (folder / "key.json").is_file() and _same(folder / self.package.name, self.package):
                known = np.load(folder / "inputs.npz")
                if set(known) == set(inputs) and all(np.array_equal(known[name], inputs[name]) for name in known):
                    return np.load(folder / "expected.npy").astype(np.float32)
        raise AssertionError("no converted network has this package and these inputs")

    async def retrieve_compute_plan(self):
        """Convolutions are on what may accelerate, constants nowhere, the rest on the CPU."""
        functions = {}
        for name, function in self.spec.mlProgram.functions.items():
            (block,) = function.block_specializations.values()
            operations = [SimpleNamespace(type=operation.type, blocks=[]) for operation in block.operations]
            functions[name] = SimpleNamespace(block=SimpleNamespace(operations=operations))
        return Plan(SimpleNamespace(program=SimpleNamespace(functions=functions)), self.compute_units)


class Plan:
    def __init__(self, model_structure, compute_units):
        self.model_structure = model_structure
        accelerator = MLGPUComputeDevice if compute_units == ComputeUnit.CPU_AND_GPU else MLNeuralEngineComputeDevice
        self.accelerator = MLCPUComputeDevice if "STAND_IN_ON_CPU" in os.environ else accelerator

    def get_compute_device_usage_for_mlprogram_operation(self, operation):
        if operation.type == "const":
            return None
        unit = self.accelerator if operation.type == "conv" else MLCPUComputeDevice
        return SimpleNamespace(preferred_compute_device=unit())


class MLCPUComputeDevice:
    pass


class MLNeuralEngineComputeDevice:
    pass


class MLGPUComputeDevice:
    pass


def _same(one, other):
    files = [path.relative_to(one) for path in one.rglob("*") if path.is_file()]
    equal, _, _ = filecmp.cmpfiles(one, other, files, shallow=False)
    return len(equal) == len(files) > 0
