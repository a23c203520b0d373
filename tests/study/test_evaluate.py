"""One architecture through cost, latency and training: cheap before dear, every end with its reason."""

from pathlib import Path
from typing import Any

import pytest

from archlab.cost import count
from archlab.errors import RunFailed
from archlab.space import SearchSpace, load_space
from archlab.study import evaluate as module
from archlab.study.evaluate import Job, evaluate
from tests.study.spaces import MINI, write_space

MEASURED = {"median_ms": 20.0, "provenance": {"kind": "measured"}}


def silent(stage: str, done: float) -> None:
    """No progress is shown."""


def job(space: SearchSpace, folder: Path, **limits: float) -> Job:
    return Job(spec=space.baseline, settings=space.settings, limits=limits, folder=folder)


@pytest.fixture
def measured_space(tmp_path: Path) -> SearchSpace:
    return load_space(write_space(tmp_path, MINI.replace("measure: []", "measure: [{device: tflite}]")))


def refuse(*_: Any, **__: Any) -> None:
    raise AssertionError("this stage must not be reached")


def test_over_a_cost_limit_nothing_is_measured_or_trained(
    measured_space: SearchSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "measure_target", refuse)
    monkeypatch.setattr(module, "_train_proxy", refuse)
    found = evaluate(job(measured_space, tmp_path / "0", params_m=1.5), silent)
    params_m = count(measured_space.baseline).params_m
    assert (found.status, found.gate) == ("gated", "params_m")
    assert found.reason == f"params_m {params_m:.4g} is over the limit of 1.5"
    assert found.params_m == params_m
    assert found.latency == {}
    assert found.proxy is None


def test_over_the_latency_limit_nothing_is_trained(
    measured_space: SearchSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "measure_target", lambda *_: MEASURED)
    monkeypatch.setattr(module, "_train_proxy", refuse)
    found = evaluate(job(measured_space, tmp_path / "0", latency_ms=12.5), silent)
    assert (found.status, found.gate) == ("gated", "latency_ms")
    assert found.reason == "latency_ms 20 on tflite is over the limit of 12.5"
    assert found.latency == {"tflite": MEASURED}


def test_a_limit_that_is_just_met_is_met(
    measured_space: SearchSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "measure_target", lambda *_: MEASURED)
    monkeypatch.setattr(module, "_train_proxy", lambda *_: {"quality": 1.0})
    limit = count(measured_space.baseline).macs_g
    assert evaluate(job(measured_space, tmp_path / "0", latency_ms=20.0, macs_g=limit), silent).status == "complete"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RunFailed("it differs from torch by 3"), "it differs from torch by 3"),
        (MemoryError("no more"), "MemoryError: no more"),
        (ValueError("first line\nsecond"), "ValueError: first line"),
    ],
)
def test_a_failing_stage_ends_the_trial_with_its_reason_and_keeps_what_is_known(
    error: Exception, reason: str, measured_space: SearchSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(module, "measure_target", fail)
    found = evaluate(job(measured_space, tmp_path / "0"), silent)
    assert (found.status, found.reason) == ("failed", reason)
    assert found.macs_g == count(measured_space.baseline).macs_g


def test_a_loss_that_turns_nan_ends_the_trial_with_that_reason(tmp_path: Path) -> None:
    space = load_space(write_space(tmp_path, MINI.replace("rungs: [3]", "rungs: [20]\n  learning_rate: 1.0e+30")))
    found = evaluate(job(space, tmp_path / "0"), silent)
    assert found.status == "failed"
    assert found.reason is not None
    assert "diverged at step" in found.reason
    assert "learning_rate" in found.reason


def test_a_trial_that_goes_well_leaves_its_files_and_hears_every_stage(tmp_path: Path) -> None:
    space = load_space(write_space(tmp_path))
    heard: list[tuple[str, float]] = []
    found = evaluate(job(space, tmp_path / "0"), lambda stage, done: heard.append((stage, done)))
    assert found.status == "complete"
    assert found.reason is None
    assert found.proxy is not None
    assert found.proxy["quality"] == found.proxy["val_loss"] > 0
    assert {path.name for path in (tmp_path / "0").iterdir()} == {"curve.csv", "samples.png", "checkpoint.safetensors"}
    assert [stage for stage, done in heard if done == 1.0] == ["train", "sample", "score"]
