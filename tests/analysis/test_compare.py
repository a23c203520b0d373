"""Several studies on one front."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from scipy import stats

from archlab.analysis.compare import compare
from archlab.errors import BadInput
from archlab.evaluation import ProxyResult, Record
from archlab.report.seeds import seeds_in_words
from archlab.study import Study
from tests.made_up_facts import mean_score, measured, proxy_result, score, seed_result
from tests.study.made_up import write_study
from tests.study.spaces import MINI

MEASURED = "measure: [{device: tflite}]"


def proxy(record: Record) -> ProxyResult:
    assert record.evaluation.proxy is not None
    return record.evaluation.proxy


def with_facts(record: Record, **facts: Any) -> Record:
    return replace(record, evaluation=replace(record.evaluation, **facts))


def test_the_front_is_over_all_trials_of_all_studies(tmp_path: Path) -> None:
    studies = [write_study(tmp_path, name, statuses="gated stopped failed") for name in ("a", "b", "c")]
    comparison = compare(studies)
    together = optuna.create_study(directions=["minimize", "minimize"])
    rows = comparison.trials
    for _, row in rows.iterrows():
        together.add_trial(optuna.trial.create_trial(values=[row["quality"], row["macs_g"]]))
    assert len(rows) == 3 * 12
    assert {trial.number for trial in together.best_trials} == set(rows.index[rows["on_front"]])
    assert all(comparison.covered[name] <= comparison.covered_by_all for name in "abc")
    best = comparison.front.sort_values("quality").iloc[0]
    assert comparison.picks["best"][:2] == (best["study"], best["trial"])


DIFFERENT = {
    "objectives": (
        "[quality, macs_g]",
        "[quality, params_m]",
        "their objectives are quality, macs_g and quality, params_m",
    ),
    "steps": ("rungs: [3]", "rungs: [2]", "proxy: steps is 3 in one and 2 in the other"),
    "size": ("sample_size: 8}", "sample_size: 16}", "proxy: scale is"),
    "target": ("measure: []", "measure: []\ntarget: {sample_size: 16}", "target: sample_size is 32 in one and 16"),
}


@pytest.mark.parametrize("case", DIFFERENT)
def test_numbers_that_mean_something_else_are_refused(case: str, tmp_path: Path) -> None:
    old, new, message = DIFFERENT[case]
    assert old in MINI
    with pytest.raises(BadInput, match="a and b cannot be on one chart") as refused:
        compare([write_study(tmp_path, "a"), write_study(tmp_path, "b", text=MINI.replace(old, new))])
    assert message in str(refused.value)


def test_other_scores_and_devices_are_refused(tmp_path: Path) -> None:
    a, b = write_study(tmp_path, "a"), write_study(tmp_path, "b")
    scored = [replace(proxy(record), quality_label="fid@256 (digits-cnn)") for record in b.records]
    b.records = [with_facts(record, proxy=own) for record, own in zip(b.records, scored, strict=True)]
    with pytest.raises(BadInput, match=r"quality is val_loss in one and fid@256 \(digits-cnn\) in the other"):
        compare([a, b])
    timed = MINI.replace("macs_g]", "latency_ms]").replace("measure: []", MEASURED)
    faster = timed.replace("tflite}", "tflite, threads: 2}")
    with pytest.raises(BadInput, match="latency_ms: threads is 1 in one and 2 in the other"):
        compare([write_study(tmp_path, "c", text=timed), write_study(tmp_path, "d", text=faster)])


@pytest.mark.parametrize(
    ("chips", "is_refused"), [(("A17", "A18"), True), (("A17", "A17"), False), (("A17", None), False)]
)
def test_latencies_of_two_computers_are_refused(
    chips: tuple[str | None, str | None], is_refused: bool, tmp_path: Path
) -> None:
    timed = MINI.replace("macs_g]", "latency_ms]").replace("measure: []", MEASURED)
    studies = [write_study(tmp_path, name, text=timed) for name in ("a", "b")]
    for study, chip in zip(studies, chips, strict=True):
        study.records = [
            with_facts(record, latency={"tflite": measured(1.0 + record.trial, provenance={"chip": chip})})
            for record in study.records
        ]
    if is_refused:
        with pytest.raises(BadInput, match="latency_ms is of A17 in one and A18 in the other"):
            compare(studies)
    else:
        assert len(compare(studies).trials) == 24


def test_a_study_is_not_compared_with_itself_or_with_nothing(tmp_path: Path) -> None:
    study = write_study(tmp_path, complete=0)
    for studies in ([study], [study, study]):
        with pytest.raises(BadInput, match="two or more different studies, not mini"):
            compare(studies)
    with pytest.raises(BadInput, match="no trial of mini, other has been trained"):
        compare([study, write_study(tmp_path, "other", complete=0)])


def test_a_score_with_another_label_is_refused(tmp_path: Path) -> None:
    text = MINI.replace("[quality, macs_g]", "[quality, adherence]")
    studies = [write_study(tmp_path, name, text=text) for name in ("a", "b")]
    for study, label in zip(studies, ("adherence@64", "adherence@256"), strict=True):
        scored = [replace(proxy(one), scores={"adherence": mean_score(one.trial / 20, label)}) for one in study.records]
        study.records = [with_facts(record, proxy=own) for record, own in zip(study.records, scored, strict=True)]
    with pytest.raises(BadInput, match="adherence is adherence@64 in one and adherence@256 in the other"):
        compare(studies)


def test_a_front_of_several_studies_has_the_larger_of_what_is_maximised(tmp_path: Path) -> None:
    text = MINI.replace("[quality, macs_g]", "[quality, adherence]")
    studies = [write_study(tmp_path, name, text=text, complete=3) for name in ("a", "c")]
    values = {"a": [(0.1, 0.5), (0.2, 0.9), (0.3, 0.4)], "c": [(0.15, 0.7), (0.25, 0.8), (0.1, 0.2)]}
    for study in studies:
        study.records = [
            with_facts(
                record, proxy=replace(proxy(record), quality=quality, scores={"adherence": mean_score(adherence)})
            )
            for record, (quality, adherence) in zip(study.records, values[study.name], strict=True)
        ]
    comparison = compare(studies)
    front = {(row["study"], row["trial"]) for _, row in comparison.front.iterrows()}
    assert front == {("a", 0), ("a", 1), ("c", 0)}  # by hand: better quality, or more adherence, than every other
    assert comparison.covered["a"] > comparison.covered["c"]


def retrained(study: Study, qualities: list[dict[int, float]], **known: Any) -> None:
    """Its first trials with these qualities by seed, and adherences of twice that; no others."""
    records = []
    for record, by_seed in zip(study.records, qualities, strict=False):
        runs = [
            seed_result(seed, {3: quality}, scores={3: {"adherence": score(2 * quality)}})
            for seed, quality in by_seed.items()
        ]
        result = proxy_result(float(np.mean(list(by_seed.values()))), by_seed=tuple(runs), **known)
        records.append(with_facts(record, proxy=result))
    study.records = records


def two_seeds(tmp_path: Path, ours: list[dict[int, float]], theirs: list[dict[int, float]]) -> list[Study]:
    """Studies a and b of the same networks."""
    studies = [write_study(tmp_path, name) for name in ("a", "b")]
    different = {record.architecture: record for record in reversed(studies[0].records)}
    for study in studies:
        study.records = [replace(one, trial=n) for n, one in enumerate(reversed(different.values()))]
    for study, qualities in zip(studies, (ours, theirs), strict=True):
        retrained(study, qualities)
    return studies


def test_seeds_of_one_network_are_one_point_and_networks_are_judged_by_what_a_seed_changes(tmp_path: Path) -> None:
    ours, theirs = [{0: 0.30}, {0: 0.20}, {0: 0.25, 1: 0.27}], [{5: 0.34}, {5: 0.21}, {1: 0.99, 5: 0.29}]
    studies = two_seeds(tmp_path, ours, theirs)
    comparison = compare(studies)
    by_network = [[0.30, 0.34], [0.20, 0.21], [0.25, 0.27, 0.29]]  # seed 1 of both studies is one training: the first's
    rows = comparison.trials.set_index(["study", "trial"])
    for number, qualities in enumerate(by_network):
        for name in "ab":
            row = rows.loc[(name, number)]
            assert row["quality"] == pytest.approx(np.mean(qualities))
            assert row["quality_std"] == pytest.approx(np.std(qualities, ddof=1))
            assert row["seeds"] == len(qualities)
    squares = [((np.array(each) - np.mean(each)) ** 2).sum() for each in by_network]
    assert comparison.spread is not None
    assert comparison.spread[1:] == (3, 7)
    assert comparison.spread.std == pytest.approx((sum(squares) / 4) ** 0.5)
    # the pooled t test of scipy, for two groups alone, finds the difference at the very edge
    first, second = by_network[0], by_network[1]
    two = compare(two_seeds(tmp_path / "two", ours[:2], theirs[:2])).spread
    assert two is not None
    moved = np.array(second) - np.mean(second) + np.mean(first) - two.margin(2, 2)
    assert stats.ttest_ind(first, moved).pvalue == pytest.approx(0.05)
    assert len(comparison.front["network"].unique()) == len(comparison.front)
    said = " ".join(seeds_in_words(comparison))
    assert "3 networks were trained more than once, and each is one point: 3 with different seeds" in said
    assert "The best of b and of a is one network: trial 1 and 1." in said


def test_a_difference_within_the_seeds_is_said_to_be_none(tmp_path: Path) -> None:
    studies = two_seeds(tmp_path, [{0: 0.200, 1: 0.210, 2: 0.190}, {0: 0.5}], [{0: 0.2}])
    other = studies[1].records[0]
    for quality, word in ((0.201, "within"), (0.9, "more than")):
        studies[1].records = [replace(with_facts(other, proxy=proxy(other)), architecture="another")]
        retrained(studies[1], [{0: quality}])
        assert f"{word} the 0.05 that seeds may make" in " ".join(seeds_in_words(compare(studies)))


def test_networks_that_are_given_another_baseline_are_others_and_one_seed_tells_no_spread(tmp_path: Path) -> None:
    studies = two_seeds(tmp_path, [{0: 0.3}], [{1: 0.4}])
    retrained(studies[1], [{1: 0.4}], provenance={"baseline": "another"})
    comparison = compare(studies)
    assert comparison.spread is None
    assert comparison.trials["quality"].tolist() == [0.3, 0.4]
    assert "is not known, as no network was trained with two" in " ".join(seeds_in_words(comparison))
