import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from archlab.evaluation.fact import from_json, to_json
from archlab.latency import Latency


def latency(**changes: Any) -> Latency:
    fields: dict[str, Any] = {
        "samples_ms": (2.0, 1.0, 4.0, 3.0),
        "left_out": 0,
        "noise": None,
        "load_ms": 5.0,
        "first_run_ms": 6.0,
        "peak_memory_mb": 100.0,
        "model_mb": 10.0,
        "partitions": 1,
        "accelerated_share": 1.0,
        "parity_max_abs": 1e-6,
        "provenance": {"device": "tflite", "kind": "measured"},
    }
    samples = changes.get("samples_ms", fields["samples_ms"])
    return Latency(**{**fields, "bursts": (len(samples),), **changes})


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


@pytest.mark.parametrize("runs", [5, 6, 15, 40, 400])
def test_the_interval_is_the_binomial_one(runs: int) -> None:
    samples = np.random.default_rng(runs).lognormal(size=runs)
    measured = latency(samples_ms=tuple(samples.tolist()))
    rank = max(int(binom.ppf(0.025, runs, 0.5)) - 1, 0)  # scipy's: the least k with at least 2.5 % at or below it
    assert (measured.low_ms, measured.high_ms) == (np.sort(samples)[rank], np.sort(samples)[-1 - rank])


def test_bursts_are_what_is_independent() -> None:
    samples = (1.0, 1.2, 2.0, 2.2, 2.3, 3.0)
    measured = latency(samples_ms=samples, bursts=(2, 3, 1))
    assert (measured.minimum_ms, measured.low_ms, measured.high_ms) == (1.1, 1.1, 3.0)


@pytest.mark.parametrize("bursts", [(), (3,), (4, 0), (5, -1)])
def test_refuses_bursts_that_are_not_of_its_runs(bursts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="bursts: must share 4 runs"):
        latency(bursts=bursts)


def test_noise_has_a_reason() -> None:
    assert (latency().noisy, latency(noise="a fan").noisy) == (False, True)
    with pytest.raises(ValueError, match="noise: must be a reason"):
        latency(noise="")


def test_survives_json() -> None:
    original = latency(partitions=None)
    text = to_json(original)
    assert from_json(Latency, text, "here") == original
    assert json.loads(text)["median_ms"] == 2.5


def test_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        latency().load_ms = 1.0  # type: ignore[misc]  # that it is refused is the point
