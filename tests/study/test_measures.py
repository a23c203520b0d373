"""Any measure as an objective or a hard limit, by its name: memory and size of each device, any score."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from optuna.study import StudyDirection
from optuna.trial import TrialState

from archlab.architecture import UNetSpec
from archlab.cost import count
from archlab.errors import BadInput, RunFailed
from archlab.evaluation import Estimate, Latency, ProxyResult
from archlab.study import Study, load_study, run_study
from archlab.study.callbacks import Callbacks
from archlab.study.definition import StudyDefinition, load_definition
from archlab.study.evaluate import Job, Stages, evaluate
from archlab.study.limits import hard_limits
from tests.made_up_facts import estimated, mean_score, measured, proxy_result
from tests.study.read_back import journal
from tests.study.spaces import MINI, write_space

TWO = "measure: [{device: torch, name: laptop}, {device: android, name: phone}]"


def definition_of(folder: Path, **sections: str) -> StudyDefinition:
    """The small space with these sections instead of its own."""
    own = {name: json.dumps(section) for name, section in yaml.safe_load(MINI).items()}
    lines = [f"{name}: {section}" for name, section in (own | sections).items()]
    return load_definition(write_space(folder, "\n".join(lines)))


def adherence_of(spec: UNetSpec) -> float:
    """More for larger networks, as quality is not: anything between 0 and 1."""
    return count(spec).params_m / (1 + count(spec).params_m)


def quality_of(spec: UNetSpec) -> float:
    return int(spec.id, 16) / 16**12


def memory_of(spec: UNetSpec) -> float:
    return 100 * count(spec).macs_g


def train(job: Job, *_: Any) -> ProxyResult:
    scores = {"adherence": mean_score(adherence_of(job.spec), "adherence@20"), "fid": mean_score(10.0, "fid@20")}
    return proxy_result(quality_of(job.spec), scores=scores, fid=10.0)


def measure(spec: UNetSpec, where: Any, *_: Any) -> Latency:
    share = 1.0 if where.name == "laptop" else 0.5
    return measured(5.0, peak_memory_mb=share * memory_of(spec), model_mb=share * count(spec).params_m)


STAGES = Stages(measure=measure, again=measure, train=train)


def run(definition: StudyDefinition, root: Path, stages: Stages = STAGES) -> Study:
    return run_study(definition, root=root, stages=stages)


def test_limits_of_every_measure_are_read_by_column(tmp_path: Path) -> None:
    limits = '{peak_memory_mb: [{max: 300}, {max: "50%", device: phone}], model_mb: {max: 9, device: phone}, '
    definition = definition_of(
        tmp_path,
        measure=TWO.partition(": ")[2],
        objectives="[quality, peak_memory_mb, model_mb_phone]",
        constraints=limits + "latency_p90_ms: {max: 7}, adherence: {min: 0.9}, fid: {max: 3}, quality: {max: 0.5}}",
    )
    latency = {name: measured(5.0, peak_memory_mb=200.0) for name in ("laptop", "phone")}
    assert hard_limits(definition, latency) == {
        "peak_memory_mb": 300,
        "peak_memory_mb_phone": 100,
        "model_mb_phone": 9,
        "latency_p90_ms": 7,
        "adherence": 0.9,
        "fid": 3,
        "quality": 0.5,
    }


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"constraints": "{adherence: {max: 0.9}}"}, r":\d+:27: constraints\.adherence\.max: unknown key; valid: min"),
        ({"constraints": "{adherence: {}}"}, r"constraints\.adherence\.min: is missing"),
        ({"constraints": "{fid: {min: 3}}"}, r"constraints\.fid\.min: unknown key; valid: max"),
        ({"constraints": "{fid: {max: '60%'}}"}, r"constraints\.fid\.max: .*number"),
        ({"constraints": "{fidd: {max: 3}}"}, r"constraints\.fidd: unknown key; did you mean 'fid'"),
        ({"constraints": "{synflow: {min: 3}}"}, r"constraints\.synflow: unknown key"),
        ({"constraints": "{peak_memory: {max: 3}}"}, r"constraints\.peak_memory: unknown key; .*'peak_memory_mb'"),
        ({"constraints": "{model_mb: {max: 3, device: fone}}"}, r"constraints\.model_mb\.device: no 'fone'.*'phone'"),
        ({"constraints": "{model_mb: [{max: 3}, {max: 2, device: laptop}]}"}, r"model_mb\[1\]\.device: a second limit"),
        ({"constraints": "{clip_score: {min: 0.3}}"}, r"constraints\.clip_score: clip_score needs proxy\.clip"),
        ({"objectives": "[quality, peak_memory]"}, r":\d+:23: objectives\[1\]: no 'peak_memory'.*'peak_memory_mb'"),
        ({"objectives": "[quality, model_mb_fone]"}, r"objectives\[1\]: no 'model_mb_fone'.*'model_mb_phone'"),
        ({"objectives": "[quality, adherance]"}, r"objectives\[1\]: no 'adherance'; did you mean 'adherence'"),
        ({"objectives": "[quality, naswot]"}, r"objectives\[1\]: no 'naswot'"),
        ({"objectives": "[quality, fid_50_steps]"}, r"objectives\[1\]: no 'fid_50_steps'; did you mean 'fid_5_steps'"),
        ({"objectives": "[quality, clip_score]"}, r"objectives\[1\]: clip_score needs proxy\.clip"),
        ({"objectives": "[quality, peak_memory_mb]", "measure": "[]"}, r"objectives\[1\]: no 'peak_memory_mb'"),
    ],
)
def test_what_is_wrong_is_shown_where_it_is(sections: dict[str, str], message: str, tmp_path: Path) -> None:
    proxy = "{data: digits, score_steps: [5]}"
    with pytest.raises(BadInput, match=message):
        definition_of(tmp_path, **{"measure": TWO.partition(": ")[2], "proxy": proxy, **sections})


def test_a_score_under_its_limit_gates_after_training(tmp_path: Path) -> None:
    definition = definition_of(tmp_path, constraints="{adherence: {min: 0.9}, fid: {max: 10}}")
    study = run(definition, tmp_path)
    rows = study.trials.set_index("trial")
    assert set(rows["status"]) == {"complete", "gated"}
    gated = rows[rows["status"] == "gated"]
    assert (gated["gate"] == "adherence").all()
    assert gated["reason"].str.fullmatch(r"adherence 0\.\d+ is under the limit of 0\.9").all()
    assert (gated["adherence"] < 0.9).all()
    assert gated["quality"].notna().all()
    assert not gated["on_front"].any()
    assert (rows[rows["status"] == "complete"]["adherence"] >= 0.9).all()
    for trial in journal(study.folder).trials:
        value = rows["adherence"][trial.number]
        assert trial.constraints["adherence"] == pytest.approx(1 - value / 0.9)
        assert (trial.state == TrialState.PRUNED) == (trial.constraints["adherence"] > 0)
        assert trial.constraints["fid"] == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("limits", "gate"),
    [("{peak_memory_mb: {max: 80%}}", "peak_memory_mb"), ("{model_mb: {max: 90%, device: phone}}", "model_mb_phone")],
)
def test_memory_and_size_gate_before_training(limits: str, gate: str, tmp_path: Path) -> None:
    definition = definition_of(tmp_path, measure=TWO.partition(": ")[2], constraints=limits)
    study = run(definition, tmp_path)
    gated = study.trials[study.trials["status"] == "gated"]
    assert set(gated["gate"]) == {gate}
    device = "laptop" if gate == "peak_memory_mb" else "phone"
    assert gated["reason"].str.contains(rf"^{gate} \S+ on {device} is over the limit of ").all()
    assert gated["quality"].isna().all()
    assert (gated[gate] > study.limits[gate]).all()  # a column, for it is named


def test_a_front_has_the_larger_of_what_is_maximised(tmp_path: Path) -> None:
    definition = definition_of(
        tmp_path,
        measure=TWO.partition(": ")[2],
        objectives="[quality, adherence, peak_memory_mb_phone]",
        search="{strategy: nsga2, trials: 20, seed: 3}",
    )
    study = run(definition, tmp_path)
    told = journal(study.folder)
    assert told.directions == [StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]
    rows = study.trials[study.trials["status"] == "complete"]
    oracle = optuna.create_study(directions=["minimize", "maximize", "minimize"])
    for _, row in rows.iterrows():
        oracle.add_trial(optuna.trial.create_trial(values=[float(row[name]) for name in study.objectives]))
    assert set(rows["trial"][rows["on_front"]]) == {rows["trial"].iloc[best.number] for best in oracle.best_trials}
    assert {trial.number for trial in told.best_trials} >= set(rows["trial"][rows["on_front"]])
    picks = study.picks
    assert picks["best"].trial == rows.loc[rows["quality"].idxmin(), "trial"]
    front = study.front.set_index("trial")
    assert picks["cheapest"].trial == front["peak_memory_mb_phone"].idxmin()
    assert f"adherence {front['adherence'][picks['knee'].trial]:.4g}" in picks["knee"].why
    assert f"(the best: {front['adherence'].max():.4g})" in picks["knee"].why


def test_the_rungs_compare_what_is_known_there(tmp_path: Path) -> None:
    """Adherence is not, until the end; quality and MACs are."""
    asked: list[bool] = []

    def train_by_rungs(job: Job, callbacks: Callbacks, known: Any) -> ProxyResult:
        for rung in job.settings.proxy.rungs[:-1]:
            asked.append(callbacks.goes_on(rung, [quality_of(job.spec)], known))
            if not asked[-1]:
                return proxy_result(quality_of(job.spec), stopped_at=rung)
        return train(job)

    definition = definition_of(
        tmp_path,
        objectives="[adherence, macs_g, quality]",
        search="{strategy: random, trials: 20, seed: 3, noise: 0}",
        proxy="{data: digits, rungs: [5, 10]}",
    )
    study = run(definition, tmp_path, Stages(train=train_by_rungs))
    stopped = study.trials[study.trials["status"] == "stopped"]
    assert 0 < len(stopped) == asked.count(False)
    assert stopped["adherence"].isna().all()


def test_a_larger_score_is_a_gain_that_a_stop_rule_sees(tmp_path: Path) -> None:
    """Quality is the same for all: only adherence can add to the hypervolume."""

    def flat(score: Callable[[int], float]) -> int:
        numbers = iter(range(100))
        stages = Stages(train=lambda *_: proxy_result(1.0, scores={"adherence": mean_score(score(next(numbers)))}))
        search = "{strategy: random, trials: 20, seed: 3, stop: {no_gain: 5}}"
        definition = definition_of(tmp_path, objectives="[quality, adherence]", search=search)
        return len(run(definition, tmp_path / f"{score(0)}", stages).trials)

    assert flat(lambda number: 0.1 + 0.04 * number) >= 20
    assert flat(lambda number: 0.9 - 0.04 * number) < 20


def test_a_score_that_was_not_had_fails_the_trial(tmp_path: Path) -> None:
    definition = definition_of(tmp_path, objectives="[quality, adherence]")
    stages = Stages(train=lambda *_: proxy_result(1.0))
    with pytest.raises(RunFailed, match="adherence was not scored, which objectives or constraints name"):
        run(definition, tmp_path, stages)


def test_the_baselines_trial_has_what_was_measured_of_the_baseline(tmp_path: Path) -> None:
    times = iter(range(5, 99))
    definition = definition_of(
        tmp_path,
        measure="[{device: torch, name: laptop}]",
        constraints="{latency_ms: {max: '100%'}}",
        search="{strategy: random, trials: 1, confirm: false}",
    )
    study = run(definition, tmp_path, Stages(measure=lambda *_: measured(float(next(times))), train=train))
    first, other = study.trials.set_index("trial").loc[[0, 1]].to_dict("records")
    assert (first["status"], first["latency_ms"]) == ("complete", 5.0)
    assert other["reason"] == "latency_ms 6 on laptop is over the limit of 5"


def test_a_device_that_does_not_tell_what_is_asked_is_refused_on_the_baseline(tmp_path: Path) -> None:
    definition = definition_of(
        tmp_path, measure=TWO.partition(": ")[2], constraints="{peak_memory_mb: {max: 300, device: phone}}"
    )
    stages = Stages(measure=lambda *_: measured(5.0), train=train)
    with pytest.raises(RunFailed, match="the baseline: phone does not tell its peak_memory_mb; take it out of"):
        run(definition, tmp_path, stages)


@pytest.mark.parametrize("sections", [{"objectives": "[quality, model_mb]"}, {"constraints": "{model_mb: {max: 99}}"}])
def test_what_no_table_estimates_is_measured(sections: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "table.json").write_text("{}")
    definition = definition_of(tmp_path, measure="[{device: torch, name: laptop, table: table.json}]", **sections)
    job = Job(
        spec=definition.space.baseline,
        settings=definition.settings,
        limits=hard_limits(definition, {}),
        folder=tmp_path,
    )
    stages = Stages(measure=measure, estimate=lambda *_: estimated(5.0), train=train)
    assert isinstance(evaluate(job, Callbacks(), stages=stages).latency["laptop"], Latency)

    def unplugged(*_: Any) -> Latency:
        raise RunFailed("it is not there")

    stages = Stages(measure=unplugged, estimate=lambda *_: estimated(5.0), train=train)
    failed = evaluate(job, Callbacks(), stages=stages)
    assert failed.status == "failed"
    assert failed.reason == "model_mb of laptop was not measured, and no table estimates it: it is not there"
    assert isinstance(failed.latency.get("laptop", estimated(5.0)), Estimate)


def test_a_changed_limit_on_a_score_keeps_the_trials_that_fit(tmp_path: Path) -> None:
    study = run(definition_of(tmp_path, constraints="{adherence: {min: 0.8}}"), tmp_path)
    before = study.trials.set_index("trial")
    definition = definition_of(tmp_path, constraints="{adherence: {min: 0.9}}")
    after = run(definition, tmp_path).trials.set_index("trial")
    fit = before[~before["adherence"].between(0.8, 0.9, inclusive="left")]
    assert 0 < len(fit) < len(before)
    assert set(fit.index) == set(before.index) & set(after.index)
    assert after["status"][fit.index].equals(fit["status"])
    assert (after[after["status"] == "complete"]["adherence"] >= 0.9).all()
    assert load_study("mini", tmp_path).limits == {"adherence": 0.9}


def test_a_study_whose_scores_are_nearly_all_too_low_says_which_limit(tmp_path: Path) -> None:
    notices: list[str] = []

    class Listening:
        def notice(self, line: str) -> None:
            notices.append(line)

        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *_: None

    definition = definition_of(
        tmp_path, constraints="{adherence: {min: 0.99}}", search="{strategy: random, trials: 30, seed: 3}"
    )
    run_study(definition, root=tmp_path, stages=STAGES, watchers=(Listening(),))  # type: ignore[arg-type]
    (notice,) = notices
    assert notice.startswith("of the first 30 trials, 30 were under the limit on adherence: half of them 0.")
    assert notice.endswith("or less where 0.99 is needed; lower constraints.adherence, or give the knobs better values")


def test_columns_that_are_named_are_there_and_others_are_not(tmp_path: Path) -> None:
    named = definition_of(tmp_path, measure=TWO.partition(": ")[2], objectives="[quality, peak_memory_mb_phone]")
    study = run(named, tmp_path / "named")
    assert study.trials["peak_memory_mb_phone"].equals(study.trials["macs_g"] * 50)
    assert "peak_memory_mb" not in study.trials
    assert not [name for name in study.trials if name.startswith("model_mb")]
    empty = Study(study.files, records=[])
    assert list(empty.trials["peak_memory_mb_phone"]) == []
