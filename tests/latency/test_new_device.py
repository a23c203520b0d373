"""A device is a folder and one line: then it is listed, accepted in a YAML, measured and locked."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from archlab.cli.main import cli
from archlab.errors import BadInput
from archlab.latency import devices, measure, profile_operators
from archlab.study.callbacks import Callbacks
from archlab.study.definition import load_definition
from archlab.study.evaluate import Job, evaluate
from tests.latency.contract import convolutions
from tests.latency.registered import register
from tests.latency.sundial.kind import HOUR_MS, KIND


@pytest.fixture(autouse=True)
def sundial(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path))
    register(monkeypatch, KIND)


def test_it_is_listed_with_what_mends_it() -> None:
    (status,) = (status for status in devices() if status.name == "sundial")
    assert (status.about, status.missing, status.mend) == ("the sun", "a clear sky", "wait")
    listed = CliRunner().invoke(cli, ["devices", "--format", "json"]).output
    assert "sundial" in {row["name"] for row in json.loads(listed)}


def test_it_is_measured_and_locked_while_it_runs_and_not_while_it_converts() -> None:
    events: list[object] = []

    @contextmanager
    def lock(device: str) -> Iterator[None]:
        events.append(f"lock {device}")
        yield
        events.append(f"unlock {device}")

    latency = measure(
        convolutions(), "sundial:Greenwich", lock=lock, progress=lambda stage, done: events.append(f"{stage} {done}")
    )
    assert latency.median_ms == HOUR_MS
    assert latency.provenance["device"] == "sundial:Greenwich"
    assert events == ["convert 1.0", "lock sundial:Greenwich", "measure 1.0", "unlock sundial:Greenwich"]


def test_a_study_takes_it_and_hands_its_lock_on(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(
        "baseline: tiny\nknobs: {conv: [standard, separable]}\nproxy: {data: digits}\n"
        "measure: [{device: 'sundial:Greenwich', name: sun}]\nconstraints: {latency_ms: {max: 1}}\n"
    )
    definition = load_definition(path)
    job = Job(spec=definition.space.baseline, settings=definition.settings, limits={"latency_ms": 1}, folder=tmp_path)
    held: list[str] = []

    @contextmanager
    def lock(device: str) -> Iterator[None]:
        held.append(device)
        yield

    evaluation = evaluate(job, Callbacks(lock=lock))
    assert (evaluation.status, evaluation.gate) == ("gated", "latency_ms")
    assert held == ["sundial:Greenwich"]


def test_a_name_that_is_nearly_right_and_a_setting_that_it_does_not_take_are_refused() -> None:
    with pytest.raises(BadInput, match=r"no device 'sundail'; valid: .*sundial\[:GARDEN\]"):
        measure(convolutions(), "sundail")
    with pytest.raises(BadInput, match="compute: 'sundial' has no 'gnomo'; did you mean 'gnomon'"):
        measure(convolutions(), "sundial", compute="gnomo")
    with pytest.raises(BadInput, match="only 'tflite' can be profiled, not 'sundial'"):
        profile_operators(convolutions(), "sundial")
