import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from archlab.errors import BadInput, MissingExtra, RunFailed
from archlab.latency import measure
from archlab.latency.devices.tflite.runner import TFLiteRunner
from archlab.latency.devices.tflite.worker import delegated_partitions
from tests.latency.contract import RunnerContract, convolutions


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Replaces the conversion by an empty file and the worker by a script with this text, so that only errors run."""
    monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("archlab.convert.to_tflite", lambda module, inputs, path, **_: path.write_bytes(b"no model"))

    def write(text: str) -> None:
        path = tmp_path / "worker.py"
        path.write_text(text)
        monkeypatch.setattr(TFLiteRunner, "worker", path)

    return write


REPORT = {"load_ms": 1.0, "first_run_ms": 1.0, "peak_memory_mb": 1.0, "partitions": 1, "cpu_seconds": 0.1}


def timing(*samples_ms: float) -> dict[str, Any]:
    return {"bursts": [samples_ms], "left_out": 0, "noise": None, "reference_ms": 0.3, "steady": True}


class TestContract(RunnerContract):
    told = frozenset({"first_run_ms", "peak_memory_mb", "partitions", "accelerated_share", "parity_max_abs"})

    @pytest.fixture(scope="class")
    def device(self) -> str:
        return "tflite"

    @pytest.fixture
    def crippled(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
        monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path))
        for module in ("ai_edge_litert", "ai_edge_litert.schema_py_generated"):
            monkeypatch.setitem(sys.modules, module, None)
        return "tflite"

    def test_what_is_missing_is_named(self, crippled: str) -> None:
        with pytest.raises(MissingExtra, match=r"writing TFLite files needs .* pip install archlab$"):
            measure(convolutions(), crippled)


def test_the_other_converter_is_an_extra_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "litert_torch", None)
    with pytest.raises(MissingExtra, match=r"--converter litert-torch needs .*'archlab\[litert-torch\]'"):
        measure(convolutions(), converter="litert-torch")
    with pytest.raises(BadInput, match=r"precision: litert-torch is asked for fp32 only"):
        measure(convolutions(), converter="litert-torch", precision="int8")
    with pytest.raises(BadInput, match=r"converter: there is no 'litert'; did you mean 'litert-torch'\?"):
        measure(convolutions(), converter="litert")


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_each_precision_is_one_partition_near_torch_and_as_small_as_it_says(precision: str) -> None:
    latency = measure(
        convolutions(), precision=precision, min_runs=4, min_seconds=0.0, quiet_timeout_s=0.0, processes=2
    )
    weights_mb = 2 * 3 * 32 * 9 * {"fp32": 4, "fp16": 2, "int8": 1}[precision] / 1e6
    assert weights_mb < latency.model_mb < weights_mb + 0.02
    assert latency.partitions == 1
    assert len(latency.bursts) >= 2
    assert latency.peak_memory_mb is not None
    assert 10 < latency.peak_memory_mb < 250  # torch alone would be more


def test_output_that_differs_from_torch_fails(worker: Callable[[str], None]) -> None:
    worker(
        "import json, sys, numpy as np, pathlib\n"
        "(job,) = json.loads(sys.argv[1])\n"
        "output = np.load(pathlib.Path(job['model']).with_name('expected.npy'))\n"
        "output.flat[np.abs(output).argmax()] *= 1.01\n"
        "np.save(job['output'], output)\n"
        f"print(json.dumps([{ {**REPORT, 'timing': timing(1.0, 1.0)}!r}]))\n"
    )
    with pytest.raises(RunFailed, match=r"differs from torch by 1\.0e-02 of its output's scale"):
        measure(convolutions())


WORKERS = {
    "killed": ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "its process was ended by signal 11"),
    "silent": ("", "its process ended without a report"),
    "hanging": ("import time; time.sleep(600)", "no result after 0.5 s"),
    "failing": ("raise ValueError('no such operator')", "ValueError: no such operator"),
}


@pytest.mark.parametrize("case", WORKERS)
def test_process_that_fails_is_one_line(case: str, worker: Callable[[str], None]) -> None:
    text, message = WORKERS[case]
    worker(text)
    with pytest.raises(RunFailed, match=f"running convolutions on 'tflite' failed: {message}") as failure:
        measure(convolutions(), timeout_s=0.5 if case == "hanging" else 60.0)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize(
    ("report", "message"),
    [
        ({"timing": timing(1.0, 0.0)}, r"samples_ms\[1\]: must be a positive number but is 0.0"),
        ({"timing": timing(1.0, 1e-6)}, "samples_ms: 1e-06 ms is too short for a clock to tell"),
        ({"load_ms": -1.0}, "load_ms: must be a positive number but is -1.0"),
    ],
)
def test_nonsense_that_a_device_reports_is_refused(
    report: dict[str, Any], message: str, worker: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archlab.convert.unaccelerated_operators", lambda _: [])
    worker(
        "import json, sys, pathlib, shutil\n"
        "(job,) = json.loads(sys.argv[1])\n"
        "shutil.copy(pathlib.Path(job['model']).with_name('expected.npy'), job['output'])\n"
        f"print(json.dumps([{ ({**REPORT, 'timing': timing(1.0, 1.0), **report})!r}]))"
    )
    with pytest.raises(RunFailed, match=f"convolutions on 'tflite' was not measured: {message}"):
        measure(convolutions())


def test_file_that_the_runtime_refuses_is_one_line(worker: Callable[[str], None]) -> None:
    pytest.importorskip("ai_edge_litert")
    with pytest.raises(RunFailed, match=r"running convolutions on 'tflite' failed: ValueError: ") as failure:
        measure(convolutions())
    assert "\n" not in str(failure.value)


def test_a_runtime_whose_operators_cannot_be_listed_says_so() -> None:
    assert delegated_partitions(SimpleNamespace(_get_ops_details=lambda: [{"op_name": "DELEGATE"}] * 2)) == (2, None)
    partitions, reason = delegated_partitions(SimpleNamespace())
    assert partitions is None
    assert reason is not None
    assert "does not list its operators" in reason
