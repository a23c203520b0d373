"""What is said of a search, against truths that were made up and against closed forms."""

import random
from pathlib import Path

import numpy as np
import pytest

from archlab.cost import count
from archlab.evaluation import Evaluation
from archlab.study import load_study
from archlab.study.definition import load_definition
from archlab.study.evaluate import STAGES
from archlab.study.explanation import explain
from archlab.study.surrogate.candidates import Candidates
from archlab.study.surrogate.estimates import Estimates
from archlab.study.surrogate.fits import Fits, InMemory
from archlab.study.surrogate.forecast import forecast
from archlab.study.surrogate.history import Begun
from archlab.study.surrogate.importance import knob_effects
from archlab.study.surrogate.outlook import Outlook
from tests.study.made_up import write_study
from tests.study.spaces import MINI, write_space

SURROGATE = MINI.replace("strategy: tpe", "strategy: surrogate").replace("rungs: [3]", "rungs: [2, 3]")
HARMS = {"none": 0.3, "middle": 0.1}  # of log quality, by transformers; nothing else matters


def outlook(folder: Path, trained: int, new: int) -> Outlook:
    """Of a search whose trials were all trained to the end."""
    definition = load_definition(write_space(folder, SURROGATE))
    candidates, source = Candidates(definition.space, 0), random.Random(1)
    everything = list(definition.space.all_values())
    source.shuffle(everything)
    described = [candidates.describe(values) for values in everything]
    begun = [
        Begun(
            trial=number,
            values=one.values,
            known=Evaluation(status="complete", params_m=one.cost.params_m, macs_g=one.cost.macs_g),
            qualities={2: 2 * quality, 3: quality},
        )
        for number, one in enumerate(described[:trained])
        for quality in [0.2 * np.exp(HARMS.get(str(one.values["transformers"]), 0.0))]
    ]
    return Outlook(
        rungs=(2, 3),
        objectives=["macs_g"],
        limits={},
        groups=candidates.groups,
        fits=Fits(InMemory()),
        begun=begun,
        begun_as=described[:trained],
        new=described[trained : trained + new],
        estimates=Estimates(definition.space, definition.settings.measure, STAGES.estimate),
    )


def test_the_knob_that_matters_is_found_with_its_effect(tmp_path: Path) -> None:
    space = load_definition(write_space(tmp_path, SURROGATE)).space
    found = {effect.knob: effect for effect in knob_effects(space, outlook(tmp_path, 24, 24), 0.8)}
    strongest = next(iter(found.values()))
    assert (strongest.knob, strongest.worst) == ("transformers", "none")
    assert strongest.best in ("sd", "no_stage0")
    assert strongest.change == pytest.approx(0.2 * np.expm1(0.3), rel=0.1)  # 0.2 is not quite the middle of qualities
    assert 0 < strongest.low < strongest.change < strongest.high
    assert all(effect.low < 0.01 for name, effect in found.items() if name != "transformers")


def test_a_forecast_of_one_training_is_its_expected_improvement(tmp_path: Path) -> None:
    one = outlook(tmp_path, 8, 1)
    end = one.quality.process.predict(one.quality.inputs[one.candidates])
    improvement = one.improvement(end.mean[:, None], end.sd[:, None]).item()
    gain, half = forecast(one, 3), forecast(one, 1.5)
    assert gain is not None
    assert half is not None
    assert gain.mean == pytest.approx(improvement / one.hypervolume, rel=0.2, abs=1e-4)  # of 200 draws
    assert half.mean == pytest.approx(gain.mean / 2)
    assert gain.low <= gain.mean <= gain.high


def test_more_training_is_expected_to_bring_more_up_to_all_there_is(tmp_path: Path) -> None:
    one = outlook(tmp_path, 8, 30)
    gains = [gain.mean for steps in (3, 30, 90, 9_000) if (gain := forecast(one, steps)) is not None]
    assert gains[0] < gains[1] < gains[2] == gains[3]


def test_a_study_is_explained_from_its_table(tmp_path: Path) -> None:
    """Quality falls with params, so that what is promised has to be neither large and bad nor known."""
    write_study(tmp_path, "mini", "stopped stopped gated failed repeat", text=SURROGATE)
    study = load_study("mini", tmp_path)
    found = explain(study)
    assert found is not None
    complete = study.trials[study.trials["status"] == "complete"].set_index("trial")["quality"]
    distinct = complete[~study.trials.set_index("trial").loc[complete.index, "architecture"].duplicated()]
    assert {check.trial for check in found.calibration.untrained} >= set(distinct.index)
    for check in found.calibration.untrained:
        assert check.observed == pytest.approx(complete[check.trial])
        assert check.predicted.low < check.predicted.median < check.predicted.high
    known = set(study.trials["architecture"])
    for promise in found.promising:
        spec = study.space.spec(promise.values)
        assert spec.id not in known
        assert promise.costs["macs_g"] == pytest.approx(count(spec).macs_g)
        assert promise.chance > 0.5
        cheaper = study.front[study.front["macs_g"] <= promise.costs["macs_g"]]
        assert (promise.quality.median < cheaper["quality"]).all()
    assert found.looked_at == len({study.space.spec(values).id for values in study.space.all_values()} - known)
    assert found.hour is not None


def test_too_few_trials_explain_nothing(tmp_path: Path) -> None:
    write_study(tmp_path, "mini", "stopped", complete=3, text=SURROGATE)
    assert explain(load_study("mini", tmp_path)) is None
