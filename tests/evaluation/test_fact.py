"""Facts go through JSON and back, and whatever is no fact is damaged: what, where, how to mend."""

import json
import math
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archlab.errors import BadInput
from archlab.evaluation import Baseline, Estimate, Evaluation, Latency, NoMeasurement, Record
from archlab.evaluation.fact import from_json, from_plain, read_fact, to_json, to_plain, write_fact
from tests.made_up_facts import measured, record, trained

ESTIMATE = Estimate(median_ms=2.0, low_ms=1.5, high_ms=2.5, provenance={"kind": "estimated", "device": "android"})
EVALUATION = Evaluation(
    status="complete",
    params_m=1.5,
    macs_g=0.25,
    latency={"tflite": measured(2.0), "pixel 8 über": ESTIMATE},
    proxy=trained(0.5, rungs={100: 0.7, 300: 0.5}),
)
BASELINE = Baseline(
    knobs={"conv": "standard", "ff_ratio": 8.0, "transformers": None},
    params_m=1.5,
    macs_g=0.25,
    latency={"tflite": measured(2.0)},
    limits={"latency_ms": 1.0},
    noise={100: 0.01},
)


@pytest.mark.parametrize("fact", [measured(2.0), ESTIMATE, EVALUATION, BASELINE, trained(0.5)])
def test_a_fact_comes_back_as_it_was(fact: Any, tmp_path: Path) -> None:
    assert from_json(type(fact), to_json(fact), "here") == fact
    assert from_plain(type(fact), json.loads(json.dumps(to_plain(fact))), "here") == fact
    write_fact(fact, tmp_path / "fact.json")
    assert read_fact(type(fact), tmp_path / "fact.json") == fact
    assert pickle.loads(pickle.dumps(fact)) == fact


def test_rungs_are_whole_numbers_after_json_too() -> None:
    back = from_json(Evaluation, to_json(EVALUATION), "here")
    assert back.proxy is not None
    assert list(back.proxy.rungs) == [100, 300]
    assert list(back.proxy.by_seed[0].scores) == list(EVALUATION.proxy.by_seed[0].scores)  # type: ignore[union-attr]


def test_what_is_computed_stands_beside_what_it_is_of() -> None:
    plain = to_plain(measured(2.0))
    assert (plain["median_ms"], plain["runs"]) == (2.0, len(plain["samples_ms"]))
    assert from_plain(Latency, plain | {"median_ms": 99.0}, "here").median_ms == 2.0  # never believed


def test_a_record_is_one_flat_object(tmp_path: Path) -> None:
    one = record(EVALUATION, trial=7)
    one.save(tmp_path / "evaluation.json")
    content = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert (content["trial"], content["status"], content["params_m"]) == (7, "complete", 1.5)
    assert Record.load(tmp_path / "evaluation.json") == one


DAMAGES: dict[str, tuple[dict[str, Any], str]] = {
    "a word for a number": ({"params_m": "abc"}, r"params_m: .*valid number"),
    "a number in quotes": ({"macs_g": "0.25"}, r"macs_g: .*valid number"),
    "true for a number": ({"params_m": True}, r"params_m: "),
    "an empty latency": ({"latency": {"a": {}}}, r"latency\.a\.latency\.samples_ms is absent"),
    "half an estimate": ({"latency": {"a": {"low_ms": 1}}}, r"latency\.a\.estimate\.median_ms is absent"),
    "a list of latencies": ({"latency": []}, r"latency: .*object"),
    "a word for the trial": ({"trial": "x"}, r"trial: .*valid integer"),
    "half a trial": ({"trial": 1.5}, r"trial: "),
    "a number too large for a float": ({"seconds": 10**400}, r"seconds: .*number"),
    "a whole number too large for a table": ({"trial": 10**400}, r"trial: .*"),
    "a knob too large for a table": ({"knobs": {"ff_ratio": 10**400}}, r"knobs\.ff_ratio"),
    "an unknown status": ({"status": "dead"}, r"status: .*'complete'"),
    "a key nobody knows": ({"zebra": 1}, r"zebra is unknown"),
    "a list for a knob": ({"knobs": {"conv": [1]}}, r"knobs\.conv"),
    "a word for the proxy": ({"proxy": "good"}, r"proxy: .*object"),
    "no proxy of a complete trial": ({"proxy": None}, r"proxy is absent of a complete trial"),
    "rubbish in the proxy": ({"proxy": {"quality": {"a": [{}]}}}, r"proxy\.quality: "),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_says_what_and_where(damage: str, tmp_path: Path) -> None:
    changes, message = DAMAGES[damage]
    path = tmp_path / "evaluation.json"
    path.write_text(json.dumps(record(EVALUATION).to_plain() | changes), encoding="utf-8")
    with pytest.raises(BadInput, match=rf"^{path}: damaged: {message}.*; restore it, or delete it") as caught:
        Record.load(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, "null", "3", '"x"', '{"trial": ' + "9" * 5000 + "}", "\x00", '{"trial": NaN}']
)
def test_what_is_no_json_object_is_damaged_in_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "evaluation.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=r"damaged: .*; restore it") as caught:
        Record.load(path)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("number", [math.inf, math.nan])
def test_no_fact_is_infinite(number: float) -> None:
    text = json.dumps(to_plain(BASELINE) | {"params_m": number})
    with pytest.raises(BadInput, match="params_m"):
        from_json(Baseline, text, "here")


def test_a_latency_that_cannot_have_been_measured_is_refused_where_it_is_made_and_read() -> None:
    with pytest.raises(NoMeasurement, match=r"samples_ms\[1\]: must be a positive number but is 0"):
        replace(measured(2.0), samples_ms=(1.0, 0.0))
    plain = to_plain(measured(2.0)) | {"samples_ms": [1.0, 0.0]}
    with pytest.raises(BadInput, match=r"recording 3: damaged: samples_ms\[1\]: must be a positive number"):
        from_plain(Latency, plain, "recording 3")


def test_a_provenance_says_how_a_latency_came_about() -> None:
    with pytest.raises(NoMeasurement, match=r"provenance\.kind: must be one of measured, estimated, replayed"):
        replace(measured(2.0), provenance={"device": "tflite"})
