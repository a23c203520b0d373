import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from archlab.evaluation.fact import from_json, to_json
from archlab.latency import Latency


def latency(**changes: Any) -> Latency:
    fields: dict[str, Any] = {
        "samples_ms": (2.0, 1.0, 4.0, 3.0),
        "load_ms": 5.0,
        "first_run_ms": 6.0,
        "peak_memory_mb": 100.0,
        "model_mb": 10.0,
        "partitions": 1,
        "accelerated_share": 1.0,
        "parity_max_abs": 1e-6,
        "provenance": {"device": "tflite", "kind": "measured"},
    }
    return Latency(**{**fields, **changes})


@pytest.mark.parametrize("count", [2, 3, 10, 101])
def test_statistics_are_numpys(count: int) -> None:
    samples = np.random.default_rng(count).lognormal(size=count)
    measured = latency(samples_ms=tuple(samples.tolist()))
    assert measured.median_ms == pytest.approx(np.median(samples))
    assert measured.p90_ms == pytest.approx(np.percentile(samples, 90))
    assert measured.runs == count


@pytest.mark.parametrize("nonsense", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("field", ["load_ms", "first_run_ms", "peak_memory_mb", "model_mb", "samples_ms"])
def test_refuses_numbers_that_no_measurement_gives(field: str, nonsense: float) -> None:
    value = (1.0, nonsense) if field == "samples_ms" else nonsense
    with pytest.raises(ValueError, match=rf"{field}.* must be a positive number but is {nonsense}"):
        latency(**{field: value})


def test_refuses_a_single_run() -> None:
    with pytest.raises(ValueError, match="at least 2 runs are needed but there are 1"):
        latency(samples_ms=(1.0,))


@pytest.mark.parametrize("nonsense", [-1e-9, float("nan"), float("inf")])
def test_refuses_a_parity_that_is_no_difference(nonsense: float) -> None:
    with pytest.raises(ValueError, match="parity_max_abs"):
        latency(parity_max_abs=nonsense)


def test_refuses_negative_partitions() -> None:
    with pytest.raises(ValueError, match="partitions"):
        latency(partitions=-1)


def test_survives_json() -> None:
    original = latency(partitions=None)
    text = to_json(original)
    assert from_json(Latency, text, "here") == original
    assert json.loads(text)["median_ms"] == 2.5


def test_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        latency().load_ms = 1.0  # type: ignore[misc]  # that it is refused is the point
