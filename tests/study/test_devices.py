"""Several devices in one study, by recordings and a made-up table; proxies are judged by a formula."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from archlab.architecture import UNetSpec
from archlab.cost import count
from archlab.errors import BadInput, RunFailed
from archlab.evaluation import Estimate, Latency, ProxyResult
from archlab.evaluation.fact import to_plain
from archlab.latency.lock import DeviceLock
from archlab.latency.measure import Doubt
from archlab.latency.measurement import Measurement
from archlab.progress import Progress
from archlab.study import Study, load_study, run_study
from archlab.study.callbacks import Callbacks
from archlab.study.definition import StudyDefinition, load_definition
from archlab.study.evaluate import Job, Stages, estimate_target, evaluate, measure_target
from tests.latency.test_latency_value import latency
from tests.made_up_facts import estimated, measured, proxy_result
from tests.study.spaces import MINI, write_space

SPACE = """measure:
  - {device: "replay:laptop.json", name: laptop}
  - {device: "replay:phone.json", name: phone}
constraints:
  latency_ms: [{max: 90, device: laptop}, {max: "60%", device: phone}]
"""
TWO = MINI.replace("measure: []\n", SPACE).replace("[quality, macs_g]", "[quality, latency_ms, latency_ms_phone]")
TWO = TWO.replace("trials: 6", "trials: 12")
Run = Callable[..., Study]


def laptop_ms(spec: UNetSpec) -> float:
    return 50 * count(spec).macs_g


def phone_ms(spec: UNetSpec) -> float:
    return 20 * count(spec).params_m


def record_all(definition: StudyDefinition, path: Path, milliseconds: Callable[[UNetSpec], float]) -> None:
    """A recording of every architecture of the space."""
    specs = {spec.id: spec for spec in map(definition.space.spec, definition.space.all_values())}
    recordings = [
        latency(
            samples_ms=(milliseconds(spec),) * 2,
            provenance={"device": path.stem, "kind": "measured", "architecture": spec.deployed.id},
        )
        for spec in specs.values()
    ]
    path.write_text(json.dumps([to_plain(recording) for recording in recordings]))


def train(job: Job, *_: object) -> ProxyResult:
    return proxy_result(int(job.spec.id, 16) / 16**12)  # anything that does not fall as latency rises


def estimate(spec: UNetSpec, where: Measurement) -> Estimate:
    """By a made-up table for the phone: 2 % too high, and known to 5 %."""
    return estimated(1.02 * phone_ms(spec), provenance={"device": "phone"})


STAGES = Stages(train=train, estimate=estimate)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a study of this YAML beside recordings of both devices."""
    definition = load_definition(write_space(tmp_path))
    record_all(definition, tmp_path / "laptop.json", laptop_ms)
    record_all(definition, tmp_path / "phone.json", phone_ms)

    def run(text: str, stages: Stages = STAGES) -> Study:
        return run_study(load_definition(write_space(tmp_path, text)), root=tmp_path / "studies", stages=stages)

    return run


@pytest.fixture
def table(tmp_path: Path) -> str:
    """The space with a table for the phone; see `estimate`."""
    (tmp_path / "table.json").write_text("{}")
    return TWO.replace("name: phone}", "name: phone, table: table.json}")


def test_every_device_is_a_column_and_limits_are_of_its_own_baseline(run: Run, tmp_path: Path) -> None:
    study = run(TWO)
    definition = load_definition(tmp_path / "mini.yaml")
    limit = 0.6 * phone_ms(definition.space.baseline)
    assert study.limits == {"latency_ms": 90, "latency_ms_phone": pytest.approx(limit)}
    assert study.baseline["latency_ms_phone"] == pytest.approx(phone_ms(definition.space.baseline))
    rows = study.trials.set_index("trial")
    known = rows[rows["status"].isin(["complete", "gated"])]
    assert {"complete", "gated"} <= set(known["status"])
    for _, row in known.iterrows():
        spec = definition.space.spec({name: row[name] for name in study.knobs if pd.notna(row[name])})
        assert row["latency_ms"] == pytest.approx(laptop_ms(spec))
        over = row["gate"] == "latency_ms"
        assert row["latency_ms_phone"] == pytest.approx(float("nan") if over else phone_ms(spec), nan_ok=True)
        assert (row["status"] == "gated") == (laptop_ms(spec) > 90 or phone_ms(spec) > limit)
    assert set(known["latency_kind"]) == {"replayed"}
    gated = known[known["gate"] == "latency_ms_phone"]
    assert gated["reason"].str.match(rf"latency_ms_phone \S+ on phone is over the limit of {limit:.4g}").all()
    assert len(gated)
    columns = list(study.trials)
    assert columns[columns.index("latency_kind") + 1] == "latency_ms_phone"


def test_a_device_that_fails_ends_the_trial_with_its_reason_and_the_study_goes_on(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "phone.json"
    recordings = json.loads(path.read_text())
    baseline = load_definition(tmp_path / "mini.yaml").space.baseline.id
    kept = [one for n, one in enumerate(recordings) if n % 3 or one["provenance"]["architecture"] == baseline]
    path.write_text(json.dumps(kept))
    study = run(TWO.replace("60%", "100%"))
    failed = study.trials[study.trials["status"] == "failed"]
    assert failed["reason"].str.contains(r"phone\.json: .* is not among its \d+ measurements").all()
    assert failed["latency_ms"].notna().all()
    assert 0 < len(failed) < (study.trials["status"] != "repeat").sum() == 12 + 1


def test_an_estimate_is_measured_where_it_does_not_decide_or_is_on_the_front(run: Run, table: str) -> None:
    study = run(table)
    limit = study.limits["latency_ms_phone"]
    rows = study.trials[study.trials["latency_ms_phone"].notna() & (study.trials["status"] != "repeat")]
    estimated = rows["latency_kind_phone"] == "estimated"
    assert rows["latency_kind"].eq("replayed").all()
    assert estimated.any()
    # Worked from the fixture: the band is 0.95 to 1.05 of the estimate, and an estimate that stays is outside of it.
    outside = (rows["latency_ms_phone"] * 0.95 > limit) | (rows["latency_ms_phone"] * 1.05 < limit)
    assert outside[estimated].all()
    assert study.baseline["latency_kind_phone"] == "replayed"
    first = rows[rows["status"] == "complete"].iloc[0]
    assert first["latency_kind_phone"] == "replayed"  # nothing dominates the first


def test_without_the_device_its_estimates_stay_and_say_why(run: Run, table: str, tmp_path: Path) -> None:
    def unplugged(spec: UNetSpec, where: Measurement, callbacks: Callbacks) -> Latency:
        if where.name == "phone":
            raise BadInput("the phone is not there")
        return measure_target(spec, where, callbacks)

    study = run(table, replace(STAGES, measure=unplugged))
    assert study.baseline["latency_kind_phone"] == "estimated"
    assert study.limits["latency_ms_phone"] == pytest.approx(0.6 * study.baseline["latency_ms_phone"])
    assert set(study.trials["latency_kind_phone"].dropna()) == {"estimated"}
    front = study.record(int(study.front["trial"].iloc[0])).evaluation
    guess = front.latency["phone"]
    assert isinstance(guess, Estimate)
    assert guess.not_measured == "the phone is not there"
    definition, stages = load_definition(write_space(tmp_path, TWO)), replace(STAGES, measure=unplugged)
    with pytest.raises(BadInput, match="the phone is not there"):
        run_study(definition, "untabled", root=tmp_path / "studies", stages=stages)


def test_over_the_limit_once_it_is_measured(tmp_path: Path, run: Run, table: str) -> None:
    definition = load_definition(write_space(tmp_path, table))
    job = Job(spec=definition.space.baseline, settings=definition.settings, limits={}, folder=tmp_path)
    found = evaluate(job, Callbacks(), stages=STAGES)
    assert found.is_estimated
    limit = 0.99 * phone_ms(definition.space.baseline)
    limited = replace(job, limits={"latency_ms_phone": limit}, known=found)
    measured = evaluate(limited, Callbacks(), stages=STAGES)
    assert (measured.status, measured.gate, measured.proxy) == ("gated", "latency_ms_phone", found.proxy)
    assert measured.latency["phone"].kind == "replayed"


def test_facts_of_one_unnamed_device_are_refused_in_one_line(run: Run, tmp_path: Path) -> None:
    """As archlab wrote it before a study could measure on several."""
    text = MINI.replace("measure: []", "measure: [{device: tflite}]\nconstraints: {latency_ms: {max: '150%'}}")
    old = {"device": "tflite", "threads": 1, "precision": "fp32", "min_runs": 20, "min_seconds": 1.0}
    stages = replace(STAGES, measure=lambda *_: measured(2.5), again=lambda *_: measured(2.5))
    study = run(text.replace("trials: 6", "trials: 2"), stages)
    settings = yaml.safe_load((study.folder / "study.yaml").read_text())
    settings["constraints"]["latency_ms"] = {"max": {"of_baseline": 1.5}, "device": "tflite"}
    settings["measure"] = [old]
    (study.folder / "study.yaml").write_text(yaml.safe_dump(settings))
    after = run(text, stages)
    assert after.limits == {"latency_ms": 1.5 * 2.5}
    assert (after.trials["status"] == "complete").sum() == 6 + 1
    assert after.trials["latency_ms"].eq(2.5).all()
    path = study.folder / "trials" / "1" / "evaluation.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"latency": to_plain(measured(2.5))}))
    mended = r"1/evaluation\.json: damaged: latency[^\n]*; restore it, or delete it to have it made again$"
    with pytest.raises(BadInput, match=mended):
        load_study("mini", tmp_path / "studies")


def test_the_stages_name_their_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[str, float]] = []
    definition = load_definition(
        write_space(tmp_path, MINI.replace("measure: []", "measure: [{device: tflite, name: here}]"))
    )

    def measure(spec: UNetSpec, *, progress: Progress, lock: DeviceLock, doubt: Doubt, **how: Any) -> None:
        assert (lock, doubt) == (callbacks.lock, callbacks.doubt)
        assert how == {**definition.settings.measure[0].how(), "device": "tflite"}
        progress("wait", 0.2)
        raise RunFailed("gone")

    monkeypatch.setattr("archlab.latency.measure", measure)
    callbacks = Callbacks(progress=lambda *told: heard.append(told), lock=lambda device: nullcontext())
    with pytest.raises(RunFailed):
        measure_target(definition.space.baseline, definition.settings.measure[0], callbacks)
    assert heard == [("wait on here", 0.2)]


def test_a_table_is_asked_with_the_settings_that_it_must_be_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "table.json").write_text("{}")
    entry = "measure: [{device: android, threads: 4, precision: int8, table: table.json}]"
    definition = load_definition(write_space(tmp_path, MINI.replace("measure: []", entry)))
    where = definition.settings.measure[0]
    with pytest.raises(BadInput, match=r"table\.json"):
        estimate_target(definition.space.baseline, where)  # the real one: this is no table
    asked: dict[str, Any] = {}

    monkeypatch.setattr("archlab.latency.estimate", lambda spec, **how: asked.update(how) or estimated(3.0))
    assert estimate_target(definition.space.baseline, where) == estimated(3.0)
    assert (asked["device"], asked["table"], asked["threads"], asked["precision"]) == (
        "android",
        where.table,
        4,
        "int8",
    )
