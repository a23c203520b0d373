import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archlab.architecture import Block, UNetSpec, map_blocks, preset
from archlab.errors import BadInput, MissingExtra, RunFailed
from archlab.latency import Latency, devices, measure, tflite
from archlab.latency.tflite import TFLiteRunner


def small() -> UNetSpec:
    spec = map_blocks(preset("tiny").scaled(width=0.25, sample_size=8), lambda block, _: Block())
    return replace(spec, context_dim=32, context_length=7)


Stages = list[tuple[str, float]]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Latency, Latency, Stages]:
    """A measurement, the same one asked for again, and the progress of both."""
    pytest.importorskip("litert_torch")
    stages: Stages = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARCHLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        first, again = (
            measure(
                small(),
                min_runs=5,
                min_seconds=0.2,
                progress=lambda stage, fraction: stages.append((stage, fraction)),
            )
            for _ in range(2)
        )
    return first, again, stages


@pytest.fixture
def converted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Any], None]:
    """Replaces the conversion by writing these files, so that only the run is tested."""
    monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path / "cache"))

    def write(model: bytes, expected: Any = None) -> None:
        def convert(spec: UNetSpec, seed: int, folder: Path) -> Any:
            (folder / "model.tflite").write_bytes(model)
            np.savez(folder / "inputs.npz", sample=np.zeros(1))
            return expected

        monkeypatch.setattr(tflite, "_convert", convert)

    return write


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Replaces the worker by a script with this text."""

    def write(text: str) -> None:
        path = tmp_path / "worker.py"
        path.write_text(text)
        monkeypatch.setattr(tflite, "_WORKER", path)

    return write


def test_measurement_says_what_it_is(measured: tuple[Latency, Latency, Stages]) -> None:
    latency, _, stages = measured
    assert latency.runs >= 5
    assert sum(latency.samples_ms) >= 150
    assert 0 < latency.median_ms <= latency.p90_ms < 1000
    assert latency.partitions == 1
    assert latency.parity_max_abs < 1e-4
    assert 10 < latency.peak_memory_mb < 250  # torch alone would be more
    provenance = latency.provenance
    assert provenance["kind"] == "measured"
    assert provenance["device"] == "tflite"
    assert provenance["architecture"] == small().id
    assert provenance["threads"] == 1
    assert provenance["runtime"].startswith("ai-edge-litert ")
    assert stages == [("convert", 0.0), ("convert", 1.0), ("measure", 0.0), ("measure", 1.0)]


def test_second_time_is_from_the_cache_and_says_so(measured: tuple[Latency, Latency, Stages]) -> None:
    first, again, _ = measured
    assert first.provenance["cached"] is False
    assert again.provenance["cached"] is True
    assert again.samples_ms == first.samples_ms
    assert again.provenance["measured_at"] == first.provenance["measured_at"]


def test_cache_is_by_deployed_network_settings_and_versions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, measured: tuple[Latency, Latency, Stages]
) -> None:
    monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path))
    asked: list[str] = []

    def record(self: TFLiteRunner, spec: UNetSpec, *_: Any) -> Latency:
        asked.append(spec.id)
        return measured[0]

    monkeypatch.setattr(TFLiteRunner, "measure", record)
    measure(small())
    measure(small())
    assert len(asked) == 1
    measure(small(), threads=2)
    measure(replace(small(), sample_size=16))
    measure(small(), use_cache=False)
    assert len(asked) == 4
    monkeypatch.setattr(TFLiteRunner, "versions", lambda self: {"runtime": "ai-edge-litert 99"})
    measure(small())
    assert len(asked) == 5


def test_damaged_cache_entry_is_measured_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, measured: tuple[Latency, Latency, Stages]
) -> None:
    monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path))
    monkeypatch.setattr(TFLiteRunner, "measure", lambda *_: measured[0])
    measure(small())
    (entry,) = (tmp_path / "latency").glob("*.json")
    entry.write_text('{"median_ms": 0')
    assert measure(small()).provenance["cached"] is False
    assert measure(small()).provenance["cached"] is True


def test_output_that_differs_from_torch_fails(converted: Callable[..., None], worker: Callable[[str], None]) -> None:
    converted(b"model", np.float32([1.0, 2.0]))
    worker(
        "import json, sys, numpy as np\n"
        "job = json.load(open(sys.argv[1]))\n"
        "np.save(job['output'], np.float32([1.0, 2.02]))\n"
        "print(json.dumps({'samples_ms': [1.0, 1.0], 'load_ms': 1.0, 'first_run_ms': 1.0,"
        " 'peak_memory_mb': 1.0, 'partitions': 1}))\n"
    )
    with pytest.raises(RunFailed, match=r"differs from torch by 1\.0e-02 of its output's scale"):
        measure(small())


def test_file_that_the_runtime_refuses_is_one_line(converted: Callable[..., None]) -> None:
    pytest.importorskip("ai_edge_litert")
    converted(b"this is no TFLite file")
    with pytest.raises(RunFailed, match=r"running \w+ on 'tflite' failed: ValueError: ") as failure:
        measure(small())
    assert "\n" not in str(failure.value)


def test_worker_that_is_killed_is_one_line(converted: Callable[..., None], worker: Callable[[str], None]) -> None:
    converted(b"model")
    worker("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(RunFailed, match="its process was ended by signal 11"):
        measure(small())


def test_worker_that_hangs_is_ended(
    converted: Callable[..., None], worker: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    converted(b"model")
    worker("import time; time.sleep(600)")
    monkeypatch.setattr(tflite, "TIMEOUT_SECONDS", 0.5)
    with pytest.raises(RunFailed, match="no result after 2 s"):
        measure(small(), min_seconds=1.0)


def test_missing_extra_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "litert_torch", None)
    with pytest.raises(MissingExtra, match=r"measuring on 'tflite' .*pip install 'archlab\[tflite\]'"):
        measure(small())
    (status,) = devices()
    assert not status.available
    assert status.missing == "litert-torch"
    assert status.mend == "pip install 'archlab[tflite]'"


def test_device_is_available_here() -> None:
    pytest.importorskip("ai_edge_litert")
    (status,) = devices()
    assert status.name == "tflite"
    assert status.available


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"device": "tflit"}, "no device 'tflit'; did you mean 'tflite'"),
        ({"threads": 0}, "threads: at least 1 is needed but got 0"),
        ({"precision": "fp64"}, "precision: there is no 'fp64'; valid: fp32"),
        ({"min_runs": 1}, "min_runs: at least 2 are needed but got 1"),
        ({"min_seconds": float("nan")}, "min_seconds: must be zero or more but is nan"),
    ],
)
def test_bad_input_names_what_would_be_right(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        measure(small(), **arguments)


def test_importing_loads_no_torch() -> None:
    code = "import sys, archlab.latency; sys.exit('torch' in sys.modules or 'ai_edge_litert' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
