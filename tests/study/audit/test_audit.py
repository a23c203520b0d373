"""An audit whose long scores are known: what it runs, and what it finds."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from archlab.analysis.audit import audit, scores_table
from archlab.errors import BadInput, RunFailed
from archlab.study import Study
from archlab.study.audit import run_audit
from archlab.study.definition import StudyDefinition, load_definition
from archlab.study.executors import Inline
from tests.study.audit.made_up import SECONDS, Trainings
from tests.study.spaces import MINI, write_space

TEXT = MINI.replace("rungs: [3]", "rungs: [2, 4]").replace("seed: 3}", "seed: 3, stop: {no_gain: 1}}")


@pytest.fixture
def definition(tmp_path: Path) -> StudyDefinition:
    return load_definition(write_space(tmp_path, TEXT + "trial: {minutes: 1}\nconstraints: {params_m: {max: 95%}}\n"))


def run(definition: StudyDefinition, root: Path, trainings: Trainings, **named: int) -> Study:
    return run_audit(definition, "mini-audit", root=root, executor=Inline(trainings), **named)


def test_the_cheapest_score_that_keeps_the_order_is_recommended(definition: StudyDefinition, tmp_path: Path) -> None:
    study = run(definition, tmp_path, Trainings(), architectures=12)
    assert study.name == "mini-audit"
    assert study.proxy.rungs == (2, 4, 40)
    assert study.definition.settings.search.trials == 12
    found = audit(study)
    assert found.reference.name == "val_loss@40"
    assert found.baseline == 0
    assert found.recommended is not None
    assert found.recommended.score.name == "adherence@2"  # as good as the truth, and as early as the noisy val_loss@2
    table = scores_table(found).set_index("score")
    assert table.loc["val_loss@2", "tau"] < 0.7 < table.loc["val_loss@4", "tau_low"]
    assert table.loc["kid@4", "tau"] == table.loc["adherence@40", "tau"] == table.loc["naswot", "tau"] == 1
    assert np.isnan(table.loc["synflow", "tau"])
    assert table.loc["val_loss@4", "train_seconds"] == 4 * SECONDS
    assert table.loc["macs_g", "train_seconds"] == 0
    assert found.ceiling.value == 1
    assert found.untrained is not None
    assert found.untrained.score.name == "naswot"


def test_numbers_are_those_of_the_table(definition: StudyDefinition, tmp_path: Path) -> None:
    study = run(definition, tmp_path, Trainings(luck=0.3), architectures=12)
    found = audit(study)
    runs = [record.evaluation.proxy.by_seed for record in study.records if record.evaluation.proxy]
    rung, long = (np.array([[run.rungs[step] for run in seeds] for seeds in runs]) for step in (2, 40))
    predictor = next(each for each in found.predictors if each.score.name == "val_loss@2")
    taus = [kendalltau(rung[:, seed], long.mean(axis=1)).statistic for seed in (0, 1)]
    assert predictor.tau.value == pytest.approx(np.mean(taus))
    assert predictor.tau.low < predictor.tau.value < predictor.tau.high
    others = [kendalltau(rung[:, seed], long[:, 1 - seed]).statistic for seed in (0, 1)]
    assert predictor.other_seeds.value == pytest.approx(np.mean(others))
    assert found.ceiling.value == pytest.approx(kendalltau(long[:, 0], long[:, 1]).statistic)
    macs = next(each for each in found.predictors if each.score.name == "macs_g")
    costs = [record.evaluation.macs_g for record in study.records]
    assert macs.tau.value == pytest.approx(-kendalltau(costs, long.mean(axis=1)).statistic)


def test_an_interrupted_audit_goes_on_and_a_finished_one_trains_nothing(
    definition: StudyDefinition, tmp_path: Path
) -> None:
    trainings = Trainings(interrupt_at=5)
    with pytest.raises(KeyboardInterrupt):
        run(definition, tmp_path, trainings, architectures=9)
    assert len(run(definition, tmp_path, trainings, architectures=9).trials) == 9
    assert len(trainings.asked) == len(set(trainings.asked)) == 9
    more = run(definition, tmp_path, trainings, architectures=12)
    assert len(more.trials) == len(trainings.asked) == 12
    with pytest.raises(BadInput, match=r"proxy.rungs was .* or another name: --name mini-audit2"):
        run(definition, tmp_path, trainings, architectures=9, steps=80)


def test_a_bar_that_nothing_keeps_recommends_nothing(definition: StudyDefinition, tmp_path: Path) -> None:
    noisy = Trainings(noise={2: 1.0, 4: 0.1}, more_from=40)
    found = audit(run(definition, tmp_path, noisy, architectures=12, seeds=1), bar=0.99)
    assert found.recommended is found.sure is None
    assert found.nearest is not None
    assert found.nearest.score.name == "val_loss@4"  # kid@40 has the very order, for the whole training
    assert np.isnan(found.ceiling.value)


def test_training_time_is_that_of_the_curves_that_are_there(definition: StudyDefinition, tmp_path: Path) -> None:
    study = run(definition, tmp_path, Trainings(), architectures=8)
    curves = [study.files.trial(number) / "curve.csv" for number in range(8)]
    for curve in curves[1:]:
        curve.unlink()
    assert audit(study).reference.seconds == 40 * SECONDS
    curves[0].unlink()
    assert np.isnan(audit(study).reference.seconds)
    curves[0].write_text("what is this", encoding="utf-8")
    with pytest.raises(BadInput, match=r"curve\.csv: damaged: .*; restore it, or delete it"):
        audit(study)


def test_another_metric_can_be_the_dear_one(definition: StudyDefinition, tmp_path: Path) -> None:
    found = audit(run(definition, tmp_path, Trainings(), architectures=8), against="adherence", top=3)
    assert found.reference.name == "adherence@40"
    predictor = next(each for each in found.predictors if each.score.name == "val_loss@40")
    assert predictor.tau == predictor.top == (1, 1, 1)


def test_what_cannot_be_audited_is_refused_in_one_line(definition: StudyDefinition, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"--steps: must be more than the last of proxy\.rungs, 4, but is 4"):
        run(definition, tmp_path, Trainings(), steps=4)
    study = run(definition, tmp_path / "whole", Trainings(), architectures=8)
    with pytest.raises(BadInput, match="--against: no 'kit' was recorded after 40 steps; did you mean 'kid'"):
        audit(study, against="kit")
    with pytest.raises(BadInput, match="--top: must be less than the 8 architectures but is 8"):
        audit(study, top=8)
    with pytest.raises(RunFailed, match="every architecture has the same val_loss@40"):
        audit(run(definition, tmp_path / "equal", Trainings(spread=0.0, luck=0.0), architectures=8))
    failing = Trainings(fail_from=6)
    with pytest.raises(RunFailed, match=r"6 architectures of mini-audit were trained to the end.*the proxy diverged"):
        audit(run(definition, tmp_path / "failed", failing, architectures=10))
