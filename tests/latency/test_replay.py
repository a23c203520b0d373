import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archlab.errors import BadInput
from archlab.evaluation.fact import to_plain
from archlab.latency import Latency, measure
from archlab.latency.devices.registry import runner
from tests.latency.contract import convolutions
from tests.latency.test_latency_value import latency

PHONE = {"device": "android:R5CT", "kind": "measured", "architecture": "c0ffee", "threads": 1, "precision": "fp32"}
PHONE |= {"measured_at": "2026-01-02T03:04:05+00:00", "chip": "a phone's"}


def recorded(median_ms: float = 2.5, **provenance: Any) -> dict[str, Any]:
    return to_plain(latency(samples_ms=(median_ms, median_ms), provenance={**PHONE, **provenance}))


def replayed(path: Path, *recordings: dict[str, Any], indent: int | None = 2, **settings: Any) -> Latency:
    path.write_text("\n".join(json.dumps(recording, indent=indent) for recording in recordings))
    return measure(convolutions(), f"replay:{path}", **settings)


@pytest.mark.parametrize("indent", [None, 2])
def test_a_recording_is_found_and_never_looks_measured_anew(tmp_path: Path, indent: int | None) -> None:
    path = tmp_path / "phones: 2.jsonl"
    for _ in range(2):
        found = replayed(path, recorded(9.0, architecture="other"), recorded(), indent=indent)
        assert found.median_ms == 2.5
        assert found.provenance == {**PHONE, "kind": "replayed", "cached": False, "replayed_from": str(path)}


def test_a_replay_can_be_recorded_again(tmp_path: Path) -> None:
    once = replayed(tmp_path / "once", recorded())
    twice = replayed(tmp_path / "twice", to_plain(once))
    assert twice == replace(once, provenance={**once.provenance, "replayed_from": str(tmp_path / "twice")})


def test_settings_choose_among_several(tmp_path: Path) -> None:
    both = recorded(2.0, threads=2), recorded(4.0, threads=4, compute="gpu"), recorded(5.0, threads=4, compute="gpu")
    path = tmp_path / "both"
    assert replayed(path, *both, threads=2).median_ms == 2.0
    assert replayed(path, *both, threads=4).median_ms == 5.0  # the last of equals
    with pytest.raises(BadInput, match=r"other settings: threads 2, precision fp32; threads 4, .*compute gpu$"):
        replayed(path, *both, threads=1)


def test_a_list_is_a_recording_too(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps([recorded(architecture="other"), recorded()]))
    assert measure(convolutions(), f"replay:{path}").median_ms == 2.5
    assert runner(f"replay:{path}").status().available


GOOD = json.dumps(recorded())
BAD = {
    "another architecture": (json.dumps(recorded(architecture="other")), "convolutions is not among its 1 measure"),
    "empty": ("", "convolutions is not among its 0 measurements"),
    "garbage": (f"{GOOD}\n{{]", "not JSON: .* line 2 column 2"),
    "a number": ("3", "measurement 1: "),
    "something absent": (
        f'{GOOD}\n{{"median_ms": 3}}',
        "measurement 2: damaged: samples_ms is absent; archlab latency --format json prints what is needed",
    ),
    "nonsense": (
        GOOD.replace("2.5", "0"),
        r"measurement 1: damaged: samples_ms\[0\]: must be a positive number but is 0",
    ),
    "words": (GOOD.replace("2.5", '"fast"'), "measurement 1: damaged: samples_ms.0: "),
    "an estimate": (json.dumps(recorded(kind="estimated")), "measurement 1: is estimated, not measured"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_recordings_are_named(case: str, tmp_path: Path) -> None:
    text, message = BAD[case]
    path = tmp_path / "recording"
    path.write_text(text)
    with pytest.raises(BadInput, match=f"^{path}: {message}") as refused:
        measure(convolutions(), f"replay:{path}")
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    status = runner(f"replay:{tmp_path / 'nowhere'}").status()
    assert status.missing == f"{tmp_path / 'nowhere'}: no such file"
    assert status.mend == f"archlab latency ARCH --format json >> {tmp_path / 'nowhere'}"
