"""The driver: every promise about a study's course, with trials judged by a formula."""

import errno
import itertools
import json
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from archlab.cost import count
from archlab.errors import BadInput, RunFailed
from archlab.space import SearchSpace, load_space
from archlab.study import disk, load_study, run_study
from archlab.study.evaluate import Job, costed, gated
from archlab.study.executors import Inline
from archlab.study.folder import StudyFolder
from archlab.study.record import Evaluation, Record, pooled
from archlab.study.watcher import Watcher
from tests.study.conftest import Judge, Threads
from tests.study.spaces import MINI, write_space


def journal(study: Path) -> optuna.Study:
    storage = JournalStorage(JournalFileBackend(str(study / "journal.log")))
    return optuna.load_study(study_name=study.name, storage=storage)


def finished_numbers(root: Path) -> list[int]:
    return sorted(int(path.parent.name) for path in root.glob("mini/trials/*/evaluation.json"))


def facts(root: Path) -> list[tuple[object, ...]]:
    table = load_study("mini", root).trials.fillna({"quality": -1.0})
    return [tuple(row) for row in table[["trial", "status", "architecture", "macs_g", "quality"]].to_numpy()]


@pytest.mark.parametrize("strategy", ["tpe", "nsga2", "nsga3", "random"])
def test_a_study_evaluates_as_many_distinct_architectures_as_asked(strategy: str, judge: Judge, tmp_path: Path) -> None:
    text = MINI.replace("strategy: tpe, trials: 6", f"strategy: {strategy}, trials: 20")
    study = judge.run(load_space(write_space(tmp_path, text)), root=tmp_path / "studies")
    assert len(judge.asked) == len(set(judge.asked)) == 20
    assert (study.trials["status"] == "complete").sum() == 20
    assert set(study.front["trial"]) == {t.number for t in journal(study.folder).best_trials} - set(
        study.trials["trial"][study.trials["status"] == "repeat"]
    )


LADDER = """
ladder:
  - {step: none at the top, values: {transformers: no_stage0}}
  - {step: separable, values: {conv: separable}, reported: "params −10 %"}
  - {step: fewer blocks, values: {res_blocks: 1/1}}
"""


@pytest.mark.parametrize("interrupt_at", [None, 2])
def test_a_ladder_is_climbed_in_its_order(interrupt_at: int | None, judge: Judge, tmp_path: Path) -> None:
    text = MINI.replace("{strategy: tpe, trials: 6, seed: 3}", "{strategy: ladder}") + LADDER
    space = load_space(write_space(tmp_path, text))
    judge.interrupt_at = interrupt_at
    if interrupt_at is not None:
        with pytest.raises(KeyboardInterrupt):
            judge.run(space, root=tmp_path)
    study = judge.run(space, root=tmp_path)
    steps = [{}, {"transformers": "no_stage0"}, {"conv": "separable"}, {"res_blocks": "1/1"}]
    wanted = [dict(pair for step in steps[: number + 1] for pair in step.items()) for number in range(4)]
    assert list(study.trials["architecture"]) == [space.spec(values).id for values in wanted]
    assert study.trials["architecture"][0] == space.baseline.id
    assert study.trials_wanted == 4


def test_the_baseline_is_the_first_trial(judge: Judge, space: SearchSpace, tmp_path: Path) -> None:
    study = judge.run(space, root=tmp_path)
    assert study.trials["architecture"][0] == space.baseline.id
    assert study.baseline["macs_g"] == count(space.baseline).macs_g


def test_a_finished_study_is_left_as_it_is_and_a_larger_one_goes_on(
    judge: Judge, space: SearchSpace, tmp_path: Path
) -> None:
    judge.run(space, root=tmp_path / "studies")
    before = facts(tmp_path / "studies")
    judge.run(space, root=tmp_path / "studies")
    assert len(judge.asked) == 6
    more = load_space(write_space(tmp_path, MINI.replace("trials: 6", "trials: 9")))
    judge.run(more, root=tmp_path / "studies")
    assert len(judge.asked) == 9
    assert facts(tmp_path / "studies")[: len(before)] == before


@pytest.mark.parametrize("interrupt_at", [0, 1, 4])
def test_an_interrupted_study_ends_as_an_undisturbed_one(
    interrupt_at: int, judge: Judge, space: SearchSpace, tmp_path: Path
) -> None:
    judge.run(space, root=tmp_path / "undisturbed")
    judge.asked.clear()
    judge.interrupt_at = interrupt_at
    with pytest.raises(KeyboardInterrupt):
        judge.run(space, root=tmp_path / "disturbed")
    assert len(finished_numbers(tmp_path / "disturbed")) >= interrupt_at
    judge.run(space, root=tmp_path / "disturbed")
    assert facts(tmp_path / "disturbed") == facts(tmp_path / "undisturbed")
    states = [trial.state for trial in journal(tmp_path / "disturbed" / "mini").trials]
    assert TrialState.RUNNING not in states


def test_a_record_on_disk_is_told_and_not_evaluated_again(
    judge: Judge, space: SearchSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill between writing the record and telling Optuna."""
    monkeypatch.setattr(optuna.Study, "tell", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        judge.run(space, root=tmp_path)
    monkeypatch.undo()
    assert finished_numbers(tmp_path) == [0]
    assert journal(tmp_path / "mini").trials[0].state == TrialState.RUNNING
    judge.run(space, root=tmp_path)
    assert len(judge.asked) == len(set(judge.asked)) == 6
    assert journal(tmp_path / "mini").trials[0].state == TrialState.COMPLETE


def test_a_half_written_journal_line_is_dropped(judge: Judge, space: SearchSpace, tmp_path: Path) -> None:
    judge.interrupt_at = 2
    with pytest.raises(KeyboardInterrupt):
        judge.run(space, root=tmp_path)
    with (tmp_path / "mini" / "journal.log").open("a") as file:
        file.write('{"op_code": 6, "trial_')
    (tmp_path / "mini" / "journal.log.lock").write_text("")
    judge.run(space, root=tmp_path)
    assert len(judge.asked) == 6


def test_a_gated_architecture_is_told_as_infeasible(judge: Judge, space: SearchSpace, tmp_path: Path) -> None:
    def verdict(job: Job) -> Evaluation:
        known = costed(job.spec, {})
        known = replace(known, latency={"here": {"median_ms": known.macs_g, "provenance": {"kind": "measured"}}})
        if known.latency["here"]["median_ms"] > job.limits["latency_ms"]:
            return gated(known, "latency_ms", known.latency["here"]["median_ms"], job.limits["latency_ms"], "here")
        return replace(known, proxy={"quality": 1.0, "quality_label": "val_loss"})

    judge.verdict = verdict
    limit = count(space.baseline).macs_g * 0.9
    measured = {"median_ms": count(space.baseline).macs_g, "provenance": {"kind": "measured"}}
    text = f"measure: [{{device: torch, name: here}}]\nconstraints: {{latency_ms: {{max: {limit}}}}}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("archlab.study.baseline.measured_or_estimated", lambda *_: measured)
        study = judge.run(load_space(write_space(tmp_path, MINI.replace("measure: []", text))), root=tmp_path)
    rows = study.trials.set_index("trial")
    assert set(rows["status"]) >= {"gated", "complete"}
    for trial in journal(study.folder).trials:
        assert trial.constraints["latency_ms"] == pytest.approx(rows["macs_g"][trial.number] / limit - 1)
        assert (trial.state == TrialState.PRUNED) == (trial.constraints["latency_ms"] > 0)
    assert rows[rows["status"] == "gated"]["quality"].isna().all()
    assert f"is over the limit of {limit:.4g}" in rows[rows["status"] == "gated"]["reason"].iloc[0]


def test_what_costs_too_much_is_gated_before_it_is_submitted(judge: Judge, tmp_path: Path) -> None:
    """A plan asks for it nonetheless."""
    text = MINI.replace("strategy: tpe, trials: 6", "strategy: ablate")
    text = text.replace("measure: []", 'measure: []\nconstraints: {macs_g: {max: "90%"}}')
    space = load_space(write_space(tmp_path, text))
    study = judge.run(space, root=tmp_path)
    limit = 0.9 * count(space.baseline).macs_g
    gated = study.trials["status"] == "gated"
    assert list(gated) == list(study.trials["macs_g"] > limit)
    assert gated.any()
    assert set(study.trials["architecture"][gated]).isdisjoint(judge.asked)
    assert study.trials["reason"][gated].iloc[0].endswith(f"is over the limit of {limit:.4g}")


def test_combinations_that_require_excludes_are_never_evaluated(judge: Judge, tmp_path: Path) -> None:
    text = MINI.replace("measure: []", "require: [\"conv == 'separable' or ff_ratio > 4\"]\nmeasure: []")
    space = load_space(write_space(tmp_path, text.replace("trials: 6", "trials: 30")))
    study = judge.run(space, root=tmp_path / "studies")
    evaluated = study.trials[study.trials["status"] == "complete"]
    assert len(evaluated) == 30
    assert not ((evaluated["conv"] == "standard") & (evaluated["ff_ratio"] == 4)).any()


def test_a_small_space_ends_when_all_of_it_is_known(judge: Judge, tmp_path: Path) -> None:
    text = MINI.replace("trials: 6", "trials: 500")
    space = load_space(write_space(tmp_path, text))
    judge.run(space, root=tmp_path / "studies")
    everything = {space.spec(values).id for values in space.all_values()}
    assert set(judge.asked) == everything
    assert len(judge.asked) == len(everything)


def test_one_failure_is_kept_with_its_reason_and_the_study_goes_on(
    judge: Judge, space: SearchSpace, tmp_path: Path
) -> None:
    def verdict(job: Job) -> Evaluation:
        if len(judge.asked) == 2:
            return Evaluation(status="failed", reason="loss became NaN at step 2")
        return Evaluation(status="complete", macs_g=1.0, proxy={"quality": 1.0, "quality_label": "val_loss"})

    judge.verdict = verdict
    study = judge.run(space, root=tmp_path)
    assert list(study.trials["status"]).count("failed") == 1
    assert study.trials.set_index("status")["reason"]["failed"] == "loss became NaN at step 2"


def test_five_failures_in_a_row_end_the_study_with_the_reason(judge: Judge, space: SearchSpace, tmp_path: Path) -> None:
    judge.verdict = lambda job: Evaluation(status="failed", reason="no space left on device")
    with pytest.raises(RunFailed, match=r"last 5 trials failed.*no space left on device"):
        judge.run(space, root=tmp_path)


def test_a_folder_of_another_space_is_refused_with_what_differs(
    judge: Judge, space: SearchSpace, tmp_path: Path
) -> None:
    judge.run(space, root=tmp_path / "studies")
    before = facts(tmp_path / "studies")
    other = load_space(write_space(tmp_path, MINI.replace("rungs: [3]", "rungs: [7]")))
    with pytest.raises(BadInput, match=r"proxy\.rungs was \[3\] and is \[7\].*--name"):
        judge.run(other, root=tmp_path / "studies")
    assert facts(tmp_path / "studies") == before
    judge.run(other, "mini2", root=tmp_path / "studies")


def test_two_runs_of_one_study_at_once_are_refused(judge: Judge, space: SearchSpace, tmp_path: Path) -> None:
    with StudyFolder(tmp_path / "mini").locked(), pytest.raises(BadInput, match="in use by another archlab run"):
        judge.run(space, root=tmp_path)
    judge.run(space, root=tmp_path)


def test_limits_that_nothing_meets_are_refused_before_anything_is_written(judge: Judge, tmp_path: Path) -> None:
    text = MINI.replace("measure: []", "measure: []\nconstraints: {params_m: {max: 0.01}}")
    with pytest.raises(BadInput, match=r"params_m: nothing can meet 0\.01; the smallest in this space is"):
        judge.run(load_space(write_space(tmp_path, text)), root=tmp_path / "studies")
    assert not (tmp_path / "studies").exists()


@pytest.mark.parametrize("name", ["../elsewhere", "", ".hidden", "a/b", "a\nb", "-x", " a", "a" * 101])
def test_a_name_that_is_no_folder_name_is_refused(name: str, space: SearchSpace, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="a study's name"):
        run_study(space, name, root=tmp_path)


def test_an_unknown_study_is_named_with_those_that_are_there(judge: Judge, space: SearchSpace, tmp_path: Path) -> None:
    judge.run(space, root=tmp_path)
    with pytest.raises(BadInput, match=r"no study 'mine'.*mini"):
        load_study("mine", tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("study.yaml", ""),
        ("study.yaml", "name: mini"),
        ("study.yaml", "{["),
        ("baseline.json", "{"),
        ("journal.log", '{"op_code"\n'),
        ("trials/1/evaluation.json", '{"trial": 1'),
        ("trials/1/evaluation.json", "[]"),
        ("trials/1/evaluation.json", '{"trial": 1}'),
    ],
)
def test_a_damaged_file_is_named_in_one_line_and_nothing_is_overwritten(
    name: str, content: str, judge: Judge, space: SearchSpace, tmp_path: Path
) -> None:
    study = judge.run(space, root=tmp_path)
    (study.folder / name).write_text(content)
    with pytest.raises(BadInput) as caught:
        assert judge.run(space, root=tmp_path).baseline
    assert str(study.folder / name) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (study.folder / name).read_text() == content


def test_a_journal_without_its_settings_is_refused(judge: Judge, space: SearchSpace, tmp_path: Path) -> None:
    study = judge.run(space, root=tmp_path)
    (study.folder / "study.yaml").unlink()
    with pytest.raises(BadInput, match=r"has a journal and no study\.yaml"):
        judge.run(space, root=tmp_path)


def test_a_deleted_record_is_made_up_for_by_another_trial(judge: Judge, space: SearchSpace, tmp_path: Path) -> None:
    study = judge.run(space, root=tmp_path)
    (study.folder / "trials" / "1" / "evaluation.json").unlink()
    again = judge.run(space, root=tmp_path)
    assert again.trials["status"].eq("complete").sum() == 6


class Listening(Watcher):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.finished: list[Record] = []
        self.notices: list[str] = []

    def trial_finished(self, record: Record) -> None:
        self.finished.append(record)

    def notice(self, line: str) -> None:
        self.notices.append(line)


def random_space(folder: Path, trials: int, **replaced: str) -> SearchSpace:
    text = MINI.replace("strategy: tpe, trials: 6", f"strategy: random, trials: {trials}")
    for old, new in replaced.items():
        text = text.replace({"rungs": "[3]", "search": "seed: 3"}[old], new)
    return load_space(write_space(folder, text))


def test_several_trials_at_once_ask_for_what_one_at_a_time_would(judge: Judge, tmp_path: Path) -> None:
    space, three, begun = random_space(tmp_path, 20), threading.Barrier(3), itertools.count()

    def slow(*arguments: Any) -> Evaluation:
        if next(begun) < 3:
            three.wait(timeout=60)  # fails unless three are under way
        return judge(*arguments)

    judge.run(space, root=tmp_path / "one")
    with closing(Threads(3, slow)) as executor:
        run_study(space, root=tmp_path / "three", executor=executor)
    assert facts(tmp_path / "three") == facts(tmp_path / "one")


def test_a_repeat_of_what_is_under_way_waits_for_its_twin(judge: Judge, tmp_path: Path) -> None:
    """Two trials of one architecture, left behind by a killed run."""
    space = random_space(tmp_path, 4)
    judge.interrupt_at = 2
    with pytest.raises(KeyboardInterrupt):
        judge.run(space, root=tmp_path)
    study = journal(tmp_path / "mini")
    (running,) = (trial for trial in study.trials if trial.state == TrialState.RUNNING)
    study.enqueue_trial(running.params)
    study.ask(running.distributions)
    with closing(Threads(2, lambda *arguments: (time.sleep(0.05), judge(*arguments))[1])) as executor:
        done = run_study(space, root=tmp_path, executor=executor).trials.set_index("trial")
    assert done["repeat_of"][running.number + 1] == running.number
    assert done["quality"][running.number + 1] == done["quality"][running.number]
    assert len(judge.asked) == len(set(judge.asked)) == 4


RUNGS = {"rungs": "[5, 10, 20]", "search": "seed: 3, noise: 0"}


def test_hopeless_trials_are_stopped_at_a_rung_with_the_reason(judge: Judge, tmp_path: Path) -> None:
    study = judge.run(random_space(tmp_path, 20, **RUNGS), root=tmp_path)
    stopped = study.trials[study.trials["status"] == "stopped"]
    assert 5 < len(stopped) < 20
    assert stopped["quality"].isna().all()
    assert set(stopped["stopped_at"]) <= {5, 10}
    assert stopped["reason"].str.match(r"stopped at \d+ steps: rank \d+, place").all()
    for trial in journal(study.folder).trials:
        row = study.trials.set_index("trial").loc[trial.number]
        verdicts = {int(name.split(":")[1]): facts["goes_on"] for name, facts in trial.user_attrs.items()}
        if row["status"] == "stopped":
            assert trial.state == TrialState.PRUNED
            assert [steps for steps, goes_on in verdicts.items() if not goes_on] == [row["stopped_at"]]
        elif row["status"] == "complete":
            assert verdicts == {5: True, 10: True}


def test_a_trial_that_is_taken_up_keeps_its_verdicts(judge: Judge, tmp_path: Path) -> None:
    space = random_space(tmp_path, 12, **RUNGS)
    asked: list[tuple[str, int]] = []

    def interrupted(job: Job, progress: Any, verdict: Any) -> Evaluation:
        def listen(rung: int, qualities: Any) -> bool:
            goes_on = verdict(rung, qualities if (job.spec.id, rung) not in asked else [1e9])
            asked.append((job.spec.id, rung))
            if len(asked) == 9:
                raise KeyboardInterrupt
            return goes_on

        return judge(job, progress, listen)

    with pytest.raises(KeyboardInterrupt):
        run_study(space, root=tmp_path / "disturbed", executor=Inline(interrupted))
    run_study(space, root=tmp_path / "disturbed", executor=Inline(interrupted))
    judge.run(space, root=tmp_path / "undisturbed")
    assert facts(tmp_path / "disturbed") == facts(tmp_path / "undisturbed")


def test_a_plan_is_trained_to_the_last_rung(judge: Judge, tmp_path: Path) -> None:
    text = MINI.replace("strategy: tpe, trials: 6", "strategy: grid").replace("[3]", "[5, 10]")
    space = load_space(write_space(tmp_path, text))
    study = judge.run(space, root=tmp_path)
    assert study.trials["status"].eq("complete").all()
    assert set(study.trials["architecture"]) == {space.spec(values).id for values in space.all_values()}
    assert study.trials_wanted >= len(study.trials)


def test_noise_between_seeds_is_measured_once_on_the_baseline(tmp_path: Path) -> None:
    trained: list[int] = []

    def noisy(job: Job, progress: Any, verdict: Any) -> Evaluation:
        trained.append(job.settings.proxy.seeds)
        seeds = [
            {"seed": seed, "rungs": {5: 0.5 + 0.02 * seed, 10: 0.4 + 0.01 * seed}}
            for seed in range(job.settings.proxy.seeds)
        ]
        proxy = {"quality": 0.4, "quality_label": "val_loss", "by_seed": seeds}
        return replace(costed(job.spec, {}), proxy=proxy)

    space = random_space(tmp_path, 3, rungs="[5, 10]")
    for _ in range(2):
        run_study(space, root=tmp_path, executor=Inline(noisy))
    assert trained == [2, 1, 1, 1]
    noise = json.loads((tmp_path / "mini" / "baseline.json").read_text())["noise"]
    assert noise == {"5": pytest.approx(0.02 / 2**0.5), "10": pytest.approx(0.01 / 2**0.5)}


@pytest.mark.parametrize("slots", [1, 3])
def test_a_repeat_becomes_another_seed_where_seeds_are_wanted(slots: int, tmp_path: Path) -> None:
    """A space of two architectures: the rest of what is asked repeats them."""
    trained: list[tuple[str, int]] = []

    def seeded(job: Job, progress: Any, verdict: Any) -> Evaluation:
        trained.append((job.spec.id, job.settings.proxy.seeds))
        time.sleep(0.01)
        seeds = [{"seed": seed, "rungs": {}} for seed in range(job.settings.proxy.seeds)]
        proxy = {"quality": 1.0 / len(seeds), "quality_label": "val_loss", "by_seed": seeds}
        return replace(costed(job.spec, {}), proxy=proxy)

    text = MINI.replace("  transformers: [sd, no_stage0, middle, none]\n", "").replace("  res_blocks: [1/2, 1/1]\n", "")
    text = text.replace("  ff_ratio: {low: 4, high: 8, step: 2}\n", "").replace("seed: 3", "seed: 3, repeats: seed")
    with closing(Threads(slots, seeded)) as executor:
        study = run_study(load_space(write_space(tmp_path, text)), root=tmp_path, executor=executor)
    repeats = [record for record in study.records if record.repeat_of is not None]
    assert repeats
    assert len(set(trained)) == len(trained) == len(study.records)
    assert [record.evaluation.status for record in repeats] == ["repeat"] * len(repeats)
    for record in repeats:
        assert record.evaluation.reason == f"same architecture as trial {record.repeat_of}, trained with one more seed"
        most = max(seeds for architecture, seeds in trained if architecture == record.architecture)
        (first,) = (one for one in pooled(study.records) if one.trial == record.repeat_of)
        assert first.evaluation.cells()["quality"] == 1.0 / most


def test_a_study_that_gates_nearly_everything_names_the_limit(judge: Judge, tmp_path: Path) -> None:
    judge.verdict = lambda job: gated(
        replace(costed(job.spec, {}), latency={"here": {"median_ms": 9.0, "provenance": {"kind": "measured"}}}),
        *("latency_ms", 9.0, 4.0),
    )
    text = MINI.replace("strategy: tpe, trials: 6", "strategy: random, trials: 40")
    text = text.replace("measure: []", "measure: [{device: torch, name: here}]\nconstraints: {latency_ms: {max: 4}}")
    listening = Listening()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "archlab.study.baseline.measured_or_estimated",
            lambda *_: {"median_ms": 9.0, "provenance": {"kind": "measured"}},
        )
        judge.run(load_space(write_space(tmp_path, text)), root=tmp_path, watchers=(listening,))
    assert listening.notices == [
        "of the first 30 trials, 30 were over the limit on latency_ms: half of them 9 or more where 4 is allowed; "
        "raise constraints.latency_ms, or give the knobs cheaper values"
    ]


def test_a_full_disk_is_waited_for(
    judge: Judge, space: SearchSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([True] * 4 + [False] * 3)
    monkeypatch.setattr(disk, "_has_room", lambda folder: next(answers, True))
    monkeypatch.setattr(disk, "_POLL_SECONDS", 0.01)
    listening = Listening()
    judge.run(space, root=tmp_path / "full", watchers=(listening,))
    assert listening.notices == [f"no room for {tmp_path / 'full' / 'mini'}: free some of the disk; {WAITS}"]
    judge.run(space, root=tmp_path / "undisturbed")
    assert facts(tmp_path / "full") == facts(tmp_path / "undisturbed")


def test_a_line_of_the_journal_that_found_no_room_is_written_whole_later(
    judge: Judge, space: SearchSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, lines = JournalFileBackend.append_logs, itertools.count()

    def refused_once(self: JournalFileBackend, logs: list[dict[str, Any]]) -> None:
        if next(lines) == 9:
            with (tmp_path / "full" / "mini" / "journal.log").open("a") as file:
                file.write('{"op_co')
            raise OSError(errno.EDQUOT, "Disk quota exceeded")
        append(self, logs)

    monkeypatch.setattr(JournalFileBackend, "append_logs", refused_once)
    monkeypatch.setattr(disk, "_POLL_SECONDS", 0.01)
    listening = Listening()
    judge.run(space, root=tmp_path / "full", watchers=(listening,))
    assert listening.notices == [f"no room for {tmp_path / 'full' / 'mini'}: free some of the disk; {WAITS}"]
    judge.run(space, root=tmp_path / "undisturbed")
    assert facts(tmp_path / "full") == facts(tmp_path / "undisturbed")


WAITS = "the study waits and then goes on"


def test_a_stop_rule_ends_the_study_and_says_so(judge: Judge, tmp_path: Path) -> None:
    judge.verdict = lambda job: replace(costed(job.spec, {}), proxy={"quality": 1.0, "quality_label": "val_loss"})
    listening = Listening()
    space = random_space(tmp_path, 40, search="seed: 3, stop: {no_gain: 8}")
    study = judge.run(space, root=tmp_path, watchers=(listening,))
    assert len(study.trials) < 40
    (notice,) = listening.notices
    assert notice.startswith("search.stop.no_gain: the last 8 trials added")


def test_more_trials_are_counted_from_those_that_are_known(judge: Judge, space: SearchSpace, tmp_path: Path) -> None:
    judge.run(space, root=tmp_path)
    study = judge.run(space, root=tmp_path, more=4)
    assert (study.trials["status"] == "complete").sum() == study.trials_wanted == 10
    ladder = MINI.replace("strategy: tpe, trials: 6", "strategy: ablate")
    with pytest.raises(BadInput, match="--more: the study has a plan"):
        judge.run(load_space(write_space(tmp_path, ladder, "plan")), root=tmp_path, more=4)
