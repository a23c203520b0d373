"""A made-up study of the shape that `archlab.study.Study` has, with files of its trials."""

import hashlib
import io
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from archlab.architecture import UNetSpec, preset
from archlab.evaluation import AnyLatency, Confirmation, Evaluation, ProxyResult, Record
from archlab.evaluation.measures import device_columns
from archlab.latency.measurement import Measurement
from archlab.proxy.settings import ProxySettings
from archlab.space import KNOBS as ALL_KNOBS
from archlab.space import Design, Domain, SearchSpace
from tests.made_up_facts import estimated, measured, proxy_result

KNOBS = ["transformers", "self_attention", "kv_sharing", "ff_ratio", "conv", "res_blocks"]
VALUES: dict[str, list[Any]] = {
    "transformers": ["sd", "no_stage0", "low_res", "0 1 1 1"],
    "self_attention": ["all", "inner", "middle"],
    "kv_sharing": ["none", "self"],
    "ff_ratio": [4, 5, 6, 7, 8],
    "conv": ["standard", "separable"],
    "res_blocks": ["2/3", "1/1"],
}
HERE = Measurement(device="tflite", threads=2)
PROXY = ProxySettings(data="digits", rungs=(200, 600))
SEARCH = Design(strategy="tpe")
TINY = preset("tiny")


@dataclass(frozen=True)
class MadeUpStudy:
    """Plain data in the shape of a study."""

    folder: Path
    trials: pd.DataFrame
    name: str = "digits-on-a-phone"
    knobs: list[str] = field(default_factory=lambda: list(KNOBS))
    objectives: list[str] = field(default_factory=lambda: ["quality", "latency_ms"])
    quality_label: str = "val_loss"
    limits: dict[str, float] = field(default_factory=lambda: {"params_m": 6.0, "latency_ms": 15.0})
    baseline: dict[str, Any] = field(
        default_factory=lambda: (
            {knob: values[0] for knob, values in VALUES.items()}
            | {"ff_ratio": 8, "params_m": 7.4, "macs_g": 1.685, "latency_ms": 26.4}
        )
    )
    measure: Sequence[Measurement] = (HERE,)
    proxy: ProxySettings = PROXY
    design: Design = SEARCH
    baseline_proxy: ProxyResult | None = None
    baseline_spec: UNetSpec = TINY
    resolved: Mapping[str, Any] = field(default_factory=lambda: {"baseline": "tiny", "proxy": {"data": "digits"}})
    trials_wanted: int = 40
    confirmation: Confirmation = field(default_factory=Confirmation)

    @property
    def front(self) -> pd.DataFrame:
        return self.trials[self.trials["on_front"].astype(bool)].sort_values("latency_ms")

    @property
    def space(self) -> SearchSpace:
        domains = {name: Domain(ALL_KNOBS[name], tuple(map(as_value, VALUES[name]))) for name in self.knobs}
        return SearchSpace(self.name, self.baseline_spec, domains)

    @cached_property
    def records(self) -> list[Record]:
        return [self._record(row) for row in self.trials.to_dict("records") if "trial" in row]

    def _record(self, row: Mapping[Any, Any]) -> Record:
        known = {name: value for name, value in row.items() if pd.notna(value)}
        proxy = proxy_result(known["quality"], self.quality_label) if "quality" in known else None
        facts = {name: known.get(name) for name in ("gate", "reason", "params_m", "macs_g")}
        return Record(
            trial=row["trial"],
            architecture=row["architecture"],
            knobs={name: row[name] for name in self.knobs},
            evaluation=Evaluation(status=row["status"], latency=self._latency(known), proxy=proxy, **facts),
            seconds=known.get("seconds", 1.0),
            finished=known.get("finished", "2026-01-01T10:00:00+00:00"),
        )

    def _latency(self, known: Mapping[Any, Any]) -> dict[str, AnyLatency]:
        entries = {entry.name: entry for entry in self.measure}
        kinds = dict(zip(device_columns("latency_ms", entries), device_columns("latency_kind", entries), strict=True))
        latency: dict[str, AnyLatency] = {}
        for column, name in device_columns("latency_ms", entries).items():
            if column in known:
                make = estimated if known.get(kinds[column]) == "estimated" else measured
                how = entries[name].model_dump(include={"device", "threads", "precision"})
                latency[name] = make(known[column], provenance=how)
        return latency


def as_value(shown: Any) -> Any:
    """``0 1 1 1`` as the list that it is the label of."""
    return tuple(map(int, shown.split())) if isinstance(shown, str) and " " in shown else shown


MakeStudy = Callable[..., MadeUpStudy]


@pytest.fixture
def make_study(tmp_path: Path) -> MakeStudy:
    """``make_study(count, samples=True, **changes)``: seeded, the same each time."""

    def make(count: int = 36, samples: bool = True, **changes: Any) -> MadeUpStudy:
        folder = tmp_path / "studies" / "digits-on-a-phone"
        trials = made_up_trials(count)
        if samples:
            write_samples(folder, trials)
        return MadeUpStudy(folder=folder, trials=changes.pop("trials", trials), **changes)

    return make


def made_up_trials(count: int) -> pd.DataFrame:
    """Rows of every kind: trained, stopped by two limits, failed, repeated."""
    draw = np.random.default_rng(7)
    rows = []
    for number in range(count):
        row: dict[str, Any] = {knob: values[draw.integers(len(values))] for knob, values in VALUES.items()}
        weight = (
            1 + 0.9 * (row["transformers"] == "sd") + 0.5 * (row["transformers"] == "no_stage0")
            + 0.12 * (row["ff_ratio"] - 4) + 0.5 * (row["conv"] == "standard")
            + 0.6 * (row["res_blocks"] == "2/3") + 0.3 * (row["self_attention"] == "all")
        )  # fmt: skip
        latency = 4.2 * weight**1.3 * (1 + 0.06 * draw.standard_normal())
        row |= {
            "trial": number,
            "status": "complete",
            "gate": None,
            "reason": None,
            "architecture": hashlib.sha256(str(number).encode()).hexdigest()[:12],
            "params_m": round(1.8 * weight, 3),
            "macs_g": round(0.41 * weight, 4),
            "latency_ms": round(latency, 3),
            "latency_p90_ms": round(latency * 1.08, 3),
            "latency_kind": "measured",
            "quality": round(0.205 - 0.021 * weight + 0.006 * draw.standard_normal(), 5),
            "fid": np.nan,
            "fid_label": None,
            "quality_std": np.nan,
            "stopped_at": np.nan,
            "train_seconds": round(9 + 3 * weight, 1),
            "seconds": round(21 + 4 * weight, 1),
            "finished": f"2026-01-01T10:{number // 60 % 60:02d}:{number % 60:02d}+00:00",
            "on_front": False,
        }
        row["val_loss"] = row["quality"]
        missing: list[str] = []
        if row["params_m"] > 6.0:
            missing = ["latency_ms", "latency_p90_ms", "latency_kind", "quality", "val_loss", "train_seconds"]
            row |= {
                "status": "gated",
                "gate": "params_m",
                "reason": f"params_m {row['params_m']} is over the limit of 6.0",
            }
        elif row["latency_ms"] > 15:
            missing = ["quality", "val_loss", "train_seconds"]
            row |= {"status": "gated", "gate": "latency_ms"}
            row["reason"] = f"latency_ms {latency:.1f} on tflite is over the limit of 15.0"
        elif number % 17 == 11:
            missing = ["quality", "val_loss"]
            row |= {"status": "failed", "reason": f"loss became NaN at step {10 * number}"}
        elif number % 19 == 16:
            row |= {"status": "repeat", "reason": "same architecture as trial 3"}
        rows.append(row | dict.fromkeys(missing, np.nan))
    trials = pd.DataFrame(rows)
    complete = trials[trials["status"] == "complete"]
    best = np.inf
    for at, quality in complete.sort_values(["latency_ms", "quality"])["quality"].items():
        trials.loc[at, "on_front"] = quality < best
        best = min(best, quality)
    order = ["trial", "status", "gate", "reason", "architecture", *KNOBS]
    return trials[[*order, *(name for name in trials if name not in order)]]


def write_samples(folder: Path, trials: pd.DataFrame) -> None:
    """Samples of every trained trial."""
    draw = np.random.default_rng(3)
    for row in trials[trials["status"] == "complete"].to_dict("records"):
        place = folder / "trials" / str(row["trial"])
        place.mkdir(parents=True, exist_ok=True)
        noise = draw.integers(0, 255, (80, 80), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(noise).resize((320, 320), Image.Resampling.BICUBIC).save(buffer, format="PNG")
        (place / "samples.png").write_bytes(buffer.getvalue())


@pytest.fixture
def two_devices(make_study: MakeStudy) -> MadeUpStudy:
    """The same study on a phone as well, where every second latency is estimated."""
    study = make_study()
    trials = study.trials.copy()
    trials["latency_ms_pixel8"] = 9 * trials["latency_ms"] ** 0.8
    trials["latency_p90_ms_pixel8"] = np.nan
    kinds = np.where(trials["trial"] % 2, "estimated", "measured")
    trials["latency_kind_pixel8"] = pd.Series(kinds, dtype=object).where(trials["latency_ms"].notna())
    phone = Measurement(device="android:R5", name="pixel8", threads=4, precision="int8", table="pixel8.json")
    return replace(
        study,
        trials=trials,
        objectives=["quality", "latency_ms", "latency_ms_pixel8"],
        limits=study.limits | {"latency_ms_pixel8": 75.0},
        baseline=study.baseline | {"latency_ms_pixel8": 140.0, "latency_kind_pixel8": "estimated"},
        measure=[*study.measure, phone],
    )


@pytest.fixture(scope="session")
def browser() -> str:
    """A Chromium; CI must have one, a laptop need not."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None and os.environ.get("CI"):
        pytest.fail("no Chromium: the report's page cannot be tested")
    if found is None:
        pytest.skip("no Chromium on this machine; install it to test the report's page in a browser")
    return found
