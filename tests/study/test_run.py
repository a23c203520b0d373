"""The driver: every promise about a study's course, with trials judged by a formula."""

from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from archlab.architecture import UNetSpec
from archlab.cost import count
from archlab.errors import BadInput, RunFailed
from archlab.evaluation import Evaluation, Latency
from archlab.study import load_study, run_study
from archlab.study.definition import StudyDefinition, load_definition
from archlab.study.evaluate import Job, Stages
from archlab.study.folder import StudyFolder
from tests.made_up_facts import measured, proxy_result
from tests.study.conftest import Judge
from tests.study.read_back import facts, journal
from tests.study.spaces import MINI, write_space


def finished_numbers(root: Path) -> list[int]:
    return sorted(int(path.parent.name) for path in root.glob("mini/trials/*/evaluation.json"))


@pytest.mark.parametrize("strategy", ["tpe", "nsga2", "nsga3", "random"])
def test_a_study_evaluates_as_many_distinct_architectures_as_asked(strategy: str, judge: Judge, tmp_path: Path) -> None:
    text = MINI.replace("strategy: tpe, trials: 6", f"strategy: {strategy}, trials: 20")
    study = judge.run(load_definition(write_space(tmp_path, text)), root=tmp_path / "studies")
    assert len(judge.asked) == len(set(judge.asked)) == 20 + 1  # the baseline
    assert (study.trials["status"] == "complete").sum() == 20 + 1
    assert set(study.front["trial"]) == {t.number for t in journal(study.folder).best_trials} - set(
        study.trials["trial"][study.trials["status"] == "repeat"]
    )


LIMITED = "measure: []\nconstraints: {macs_g: {max: 60%}}"

LADDER = """
ladder:
  - {step: none at the top, values: {transformers: no_stage0}}
  - {step: separable, values: {conv: separable}, reported: "params −10 %"}
  - {step: fewer blocks, values: {res_blocks: 1/1}}
"""


@pytest.mark.parametrize("interrupt_at", [None, 2])
def test_a_ladder_is_climbed_in_its_order(interrupt_at: int | None, judge: Judge, tmp_path: Path) -> None:
    text = MINI.replace("{strategy: tpe, trials: 6, seed: 3}", "{strategy: ladder}") + LADDER
    definition = load_definition(write_space(tmp_path, text))
    judge.interrupt_at = interrupt_at
    if interrupt_at is not None:
        with pytest.raises(KeyboardInterrupt):
            judge.run(definition, root=tmp_path)
    study = judge.run(definition, root=tmp_path)
    steps = [{}, {"transformers": "no_stage0"}, {"conv": "separable"}, {"res_blocks": "1/1"}]
    wanted = [dict(pair for step in steps[: number + 1] for pair in step.items()) for number in range(4)]
    assert list(study.trials["architecture"]) == [definition.space.spec(values).id for values in wanted]
    assert study.trials["architecture"][0] == definition.space.baseline.id
    assert study.trials_wanted == 4


def test_the_baseline_is_the_first_trial(judge: Judge, definition: StudyDefinition, tmp_path: Path) -> None:
    study = judge.run(definition, root=tmp_path)
    assert study.trials["architecture"][0] == definition.space.baseline.id
    assert study.baseline["macs_g"] == count(definition.space.baseline).macs_g


def test_a_finished_study_is_left_as_it_is_and_a_larger_one_goes_on(
    judge: Judge, definition: StudyDefinition, tmp_path: Path
) -> None:
    judge.run(definition, root=tmp_path / "studies")
    before = facts(tmp_path / "studies")
    judge.run(definition, root=tmp_path / "studies")
    assert len(judge.asked) == 6 + 1
    more = load_definition(write_space(tmp_path, MINI.replace("trials: 6", "trials: 9")))
    judge.run(more, root=tmp_path / "studies")
    assert len(judge.asked) == 9 + 1
    assert facts(tmp_path / "studies")[: len(before)] == before


@pytest.mark.parametrize("interrupt_at", [0, 1, 4])
def test_an_interrupted_study_ends_as_an_undisturbed_one(
    interrupt_at: int, judge: Judge, definition: StudyDefinition, tmp_path: Path
) -> None:
    judge.run(definition, root=tmp_path / "undisturbed")
    judge.asked.clear()
    judge.interrupt_at = interrupt_at
    with pytest.raises(KeyboardInterrupt):
        judge.run(definition, root=tmp_path / "disturbed")
    assert len(finished_numbers(tmp_path / "disturbed")) >= interrupt_at
    judge.run(definition, root=tmp_path / "disturbed")
    assert facts(tmp_path / "disturbed") == facts(tmp_path / "undisturbed")
    states = [trial.state for trial in journal(tmp_path / "disturbed" / "mini").trials]
    assert TrialState.RUNNING not in states


def test_a_record_on_disk_is_told_and_not_evaluated_again(
    judge: Judge, definition: StudyDefinition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill between writing the record and telling Optuna."""
    monkeypatch.setattr(optuna.Study, "tell", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        judge.run(definition, root=tmp_path)
    monkeypatch.undo()
    assert finished_numbers(tmp_path) == [0]
    assert journal(tmp_path / "mini").trials[0].state == TrialState.RUNNING
    judge.run(definition, root=tmp_path)
    assert len(judge.asked) == len(set(judge.asked)) == 6 + 1
    assert journal(tmp_path / "mini").trials[0].state == TrialState.COMPLETE


def test_a_half_written_journal_line_is_dropped(judge: Judge, definition: StudyDefinition, tmp_path: Path) -> None:
    judge.interrupt_at = 2
    with pytest.raises(KeyboardInterrupt):
        judge.run(definition, root=tmp_path)
    with (tmp_path / "mini" / "journal.log").open("a") as file:
        file.write('{"op_code": 6, "trial_')
    (tmp_path / "mini" / "journal.log.lock").write_text("")
    judge.run(definition, root=tmp_path)
    assert len(judge.asked) == 6 + 1


def test_a_gated_architecture_is_told_as_infeasible(definition: StudyDefinition, tmp_path: Path) -> None:
    limit = count(definition.space.baseline).macs_g * 0.9
    text = f"measure: [{{device: torch, name: here}}]\nconstraints: {{latency_ms: {{max: {limit}}}}}"

    def timed(spec: UNetSpec, *_: Any) -> Latency:
        return measured(count(spec).macs_g)

    stages = Stages(measure=timed, again=timed, train=lambda *_: proxy_result(1.0))
    definition = load_definition(write_space(tmp_path, MINI.replace("measure: []", text)))
    study = run_study(definition, root=tmp_path, stages=stages)
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
    definition = load_definition(write_space(tmp_path, text))
    study = judge.run(definition, root=tmp_path)
    limit = 0.9 * count(definition.space.baseline).macs_g
    gated = study.trials["status"] == "gated"
    assert list(gated) == list(study.trials["macs_g"] > limit)
    assert gated.any()
    assert set(study.trials["architecture"][gated]).isdisjoint(judge.asked)
    assert study.trials["reason"][gated].iloc[0].endswith(f"is over the limit of {limit:.4g}")


def test_combinations_that_require_excludes_are_never_evaluated(judge: Judge, tmp_path: Path) -> None:
    text = MINI.replace("measure: []", "require: [\"conv == 'separable' or ff_ratio > 4\"]\nmeasure: []")
    definition = load_definition(write_space(tmp_path, text.replace("trials: 6", "trials: 30")))
    study = judge.run(definition, root=tmp_path / "studies")
    evaluated = study.trials[study.trials["status"] == "complete"]
    assert len(evaluated) == 30 + 1
    assert not ((evaluated["conv"] == "standard") & (evaluated["ff_ratio"] == 4)).any()


def test_a_small_space_ends_when_all_of_it_is_known(judge: Judge, tmp_path: Path) -> None:
    text = MINI.replace("trials: 6", "trials: 500")
    definition = load_definition(write_space(tmp_path, text))
    judge.run(definition, root=tmp_path / "studies")
    everything = {definition.space.spec(values).id for values in definition.space.all_values()}
    assert set(judge.asked) == everything
    assert len(judge.asked) == len(everything)


def test_one_failure_is_kept_with_its_reason_and_the_study_goes_on(
    judge: Judge, definition: StudyDefinition, tmp_path: Path
) -> None:
    def verdict(job: Job) -> Evaluation:
        if len(judge.asked) == 2:
            return Evaluation(status="failed", reason="loss became NaN at step 2")
        return Evaluation(status="complete", macs_g=1.0, proxy=proxy_result(1.0))

    judge.verdict = verdict
    study = judge.run(definition, root=tmp_path)
    assert list(study.trials["status"]).count("failed") == 1
    assert study.trials.set_index("status")["reason"]["failed"] == "loss became NaN at step 2"


def test_five_failures_in_a_row_end_the_study_with_the_reason(
    judge: Judge, definition: StudyDefinition, tmp_path: Path
) -> None:
    judge.verdict = lambda job: Evaluation(status="failed", reason="no space left on device")
    with pytest.raises(RunFailed, match=r"last 5 trials failed.*no space left on device"):
        judge.run(definition, root=tmp_path)


def test_a_folder_of_another_space_is_refused_with_what_differs(
    judge: Judge, definition: StudyDefinition, tmp_path: Path
) -> None:
    judge.run(definition, root=tmp_path / "studies")
    before = facts(tmp_path / "studies")
    other = load_definition(write_space(tmp_path, MINI.replace("rungs: [3]", "rungs: [7]")))
    with pytest.raises(BadInput, match=r"proxy\.rungs was \[3\] and is \[7\].*--name"):
        judge.run(other, root=tmp_path / "studies")
    assert facts(tmp_path / "studies") == before
    judge.run(other, "mini2", root=tmp_path / "studies")


def test_two_runs_of_one_study_at_once_are_refused(judge: Judge, definition: StudyDefinition, tmp_path: Path) -> None:
    with StudyFolder(tmp_path / "mini").locked(), pytest.raises(BadInput, match="in use by another archlab run"):
        judge.run(definition, root=tmp_path)
    judge.run(definition, root=tmp_path)


def test_limits_that_nothing_meets_are_refused_before_anything_is_written(judge: Judge, tmp_path: Path) -> None:
    text = MINI.replace("measure: []", "measure: []\nconstraints: {params_m: {max: 0.01}}")
    with pytest.raises(BadInput, match=r"params_m: nothing can meet 0\.01; the smallest in this space is"):
        judge.run(load_definition(write_space(tmp_path, text)), root=tmp_path / "studies")
    assert not (tmp_path / "studies").exists()


@pytest.mark.parametrize("name", ["../elsewhere", "", ".hidden", "a/b", "a\nb", "-x", " a", "a" * 101])
def test_a_name_that_is_no_folder_name_is_refused(name: str, definition: StudyDefinition, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="a study's name"):
        run_study(definition, name, root=tmp_path)


def test_an_unknown_study_is_named_with_those_that_are_there(
    judge: Judge, definition: StudyDefinition, tmp_path: Path
) -> None:
    judge.run(definition, root=tmp_path)
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
    name: str, content: str, judge: Judge, definition: StudyDefinition, tmp_path: Path
) -> None:
    study = judge.run(definition, root=tmp_path)
    (study.folder / name).write_text(content)
    with pytest.raises(BadInput) as caught:
        assert judge.run(definition, root=tmp_path).baseline
    assert str(study.folder / name) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (study.folder / name).read_text() == content


def test_a_journal_without_its_settings_is_refused(judge: Judge, definition: StudyDefinition, tmp_path: Path) -> None:
    study = judge.run(definition, root=tmp_path)
    (study.folder / "study.yaml").unlink()
    with pytest.raises(BadInput, match=r"has a journal and no study\.yaml"):
        judge.run(definition, root=tmp_path)


def test_a_deleted_record_is_made_up_for_by_another_trial(
    judge: Judge, definition: StudyDefinition, tmp_path: Path
) -> None:
    study = judge.run(definition, root=tmp_path)
    (study.folder / "trials" / "1" / "evaluation.json").unlink()
    again = judge.run(definition, root=tmp_path)
    assert again.trials["status"].eq("complete").sum() == 6 + 1


def test_the_baseline_is_judged_although_limits_exclude_it_and_uses_up_no_trial(judge: Judge, tmp_path: Path) -> None:
    text = MINI.replace("measure: []", LIMITED)
    study = judge.run(load_definition(write_space(tmp_path, text)), root=tmp_path)
    baseline = study.baseline_spec.id
    assert baseline not in set(study.trials["architecture"])
    assert len(judge.asked) == study.trials_wanted
    assert study.baseline["quality"] == pytest.approx(1 / count(study.baseline_spec).params_m)
    assert load_study("mini", tmp_path).baseline == study.baseline


def test_a_plan_that_has_no_arm_for_the_baseline_judges_it_all_the_same(judge: Judge, tmp_path: Path) -> None:
    """A grid without the baseline's values, and an ablation whose limits exclude the baseline; else an arm is it."""
    grid = MINI.replace("strategy: tpe, trials: 6", "strategy: grid").replace("[standard, separable]", "[separable]")
    limited = MINI.replace("strategy: tpe, trials: 6", "strategy: ablate").replace("measure: []", LIMITED)
    whole = MINI.replace("strategy: tpe, trials: 6", "strategy: ablate")
    for name, text in {"grid": grid, "limited": limited}.items():
        study = judge.run(load_definition(write_space(tmp_path, text, name)), root=tmp_path)
        assert study.baseline["quality"] == pytest.approx(1 / count(study.baseline_spec).params_m)
        assert study.baseline_spec.id not in set(study.trials.query("status == 'complete'")["architecture"])
        assert study.trials_wanted == len(study.definition.plan().arms)
    study = judge.run(load_definition(write_space(tmp_path, whole, "whole")), root=tmp_path)
    assert "quality" not in study.baseline or study.baseline["quality"] is None
    assert list(study.trials["architecture"]).count(study.baseline_spec.id) == 1
    assert len(study.trials) == study.trials_wanted
