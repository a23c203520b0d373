"""What is chosen: within limits and conditions, reproducibly, in spaces of any size; and no longer than it pays."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest
from scipy.stats import norm

from archlab.architecture import UNetSpec
from archlab.cost import count
from archlab.evaluation import Estimate, Evaluation
from archlab.latency.measurement import Measurement
from archlab.study.definition import StudyDefinition, load_definition
from archlab.study.evaluate import STAGES, Stages
from archlab.study.surrogate import Begun, Choice, SurrogateSearch
from archlab.study.surrogate.gaussian_process import GaussianProcess, Hyperparameters, Inputs
from archlab.study.surrogate.worth import worth_a_step
from tests.made_up_facts import estimated, measured
from tests.study.spaces import MINI, write_space

RUNGS = MINI.replace("[3]", "[5, 10, 20]").replace("strategy: tpe", "strategy: surrogate")
LARGE = RUNGS.replace(
    "  conv:",
    "  kv_sharing: [none, self, all]\n  ff_activation: [gelu, swish, relu]\n"
    "  self_attention: [all, none, middle, inner]\n  cross_attention: [all, none, middle, inner]\n"
    "  attention_normalizer: [softmax, relu]\n  conv:",
).replace("res_blocks: [1/2, 1/1]", "res_blocks: {choices: [1/2, 1/1], when: {conv: separable}}")
HUGE = LARGE.replace("low: 4, high: 8, step: 2", "low: 1, high: 100, step: 0.1").replace(
    "  conv:", "  width: {low: 0.5, high: 1.498, step: 0.001}\n  conv:"
)


def quality(definition: StudyDefinition, values: dict[str, object], rung: int) -> float:
    return float(count(definition.space.spec(values)).params_m ** -0.5 + 1 / rung)


def misled(definition: StudyDefinition, values: dict[str, object], rung: int) -> float:
    """What has relu is a little worse at the lower rungs, and much better at the last."""
    factor = 1.0 if values["attention_normalizer"] == "softmax" else 1.03 if rung < 20 else 0.8
    return factor * float(count(definition.space.spec(values)).params_m ** -0.1 + 0.3 / rung)


def searched(
    definition: StudyDefinition,
    choices: int,
    limits: dict[str, float] | None = None,
    stages: Stages = STAGES,
    judged: Callable[[StudyDefinition, dict[str, object], int], float] = quality,
) -> list[Choice]:
    """One at a time, judged by a formula at once; a latency is what MACs take."""
    search = SurrogateSearch(definition, optuna.create_study(), limits or {}, stages=stages)
    begun: dict[int, Begun] = {}
    ids: dict[str, int] = {}
    chosen = []
    for _ in range(choices):
        choice = search.choose([begun[number] for number in sorted(begun)], ids, may_begin=True)
        assert choice is not None
        chosen.append(choice)
        spec = definition.space.spec(choice.values)
        number = ids.setdefault(spec.id, len(ids))
        cost = count(spec)
        latency = {
            where.name: stages.estimate(spec, where) if where.table else measured(2 * cost.macs_g)
            for where in definition.settings.measure
        }
        is_end = choice.until == definition.settings.proxy.rungs[-1]
        known = Evaluation(status="complete", params_m=cost.params_m, macs_g=cost.macs_g, latency=latency)
        begun[number] = Begun(
            trial=number,
            values=choice.values,
            known=known if is_end else replace(known, status="stopped"),
            qualities={
                rung: judged(definition, choice.values, rung)
                for rung in definition.settings.proxy.rungs
                if rung <= choice.until
            },
            is_resumable=not is_end,
        )
    return chosen


@pytest.fixture(autouse=True)
def quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.mark.parametrize(
    ("text", "objectives"),
    [
        (RUNGS, "quality"),
        (RUNGS, "quality, macs_g, params_m"),
        (LARGE, "quality, macs_g"),
        (HUGE, "quality, macs_g"),
    ],
    ids=["one_objective", "several_costs", "large", "huge"],
)
def test_what_is_begun_is_permitted_affordable_and_new(text: str, objectives: str, tmp_path: Path) -> None:
    text = text.replace("quality, macs_g", objectives)
    text = text.replace("measure: []", "require: [\"conv == 'separable' or ff_ratio > 4\"]\nmeasure: []")
    definition = load_definition(write_space(tmp_path, text))
    limits = {"macs_g": 0.8 * count(definition.space.baseline).macs_g}
    chosen = searched(definition, 12, limits)
    begun = [choice for choice in chosen if choice.trial is None]
    specs = [definition.space.spec(choice.values) for choice in begun]
    assert all(definition.space.permits(choice.values) for choice in begun)
    assert all(count(spec).macs_g <= limits["macs_g"] for spec in specs)
    assert len({spec.id for spec in specs}) == len(specs)
    assert chosen[0].until == 20  # the first to the end, the others rung by rung
    assert {choice.until for choice in begun[1:]} == {5}
    assert any(choice.trial is not None for choice in chosen)


def test_a_latency_that_is_not_known_yet_is_predicted_and_its_limit_met(tmp_path: Path) -> None:
    text = RUNGS.replace("quality, macs_g", "quality, latency_ms")
    text = text.replace("measure: []", "measure: [{device: torch, name: here}]")
    definition = load_definition(write_space(tmp_path, text))
    limit = 1.6 * count(definition.space.baseline).macs_g  # ms: 0.8 of the baseline's
    begun = [choice for choice in searched(definition, 16, {"latency_ms": limit}) if choice.trial is None]
    within = [2 * count(definition.space.spec(choice.values)).macs_g <= limit for choice in begun]
    assert np.mean(within[2:]) > 0.8


def test_what_a_table_estimates_counts_as_known(tmp_path: Path) -> None:
    text = RUNGS.replace("quality, macs_g", "quality, latency_ms")
    (tmp_path / "table.json").write_text("{}")
    definition = load_definition(
        write_space(tmp_path, text.replace("measure: []", "measure: [{device: torch, table: table.json}]"))
    )

    def unlike_macs(spec: UNetSpec) -> float:
        """ms"""
        return 1 + int(spec.id[:6], 16) % 100

    def by_table(spec: UNetSpec, where: Measurement) -> Estimate:
        return estimated(unlike_macs(spec))

    chosen = searched(definition, 16, {"latency_ms": 50.0}, Stages(estimate=by_table))
    begun = [definition.space.spec(choice.values) for choice in chosen if choice.trial is None]
    assert len(begun) > 5
    assert all(unlike_macs(spec) <= 50 for spec in begun[1:])


def test_what_looks_bad_at_the_lower_rungs_is_trained_to_the_end_all_the_same(tmp_path: Path) -> None:
    knobs = "  attention_normalizer: [softmax, relu]\n  ff_activation: [gelu, swish, relu]\n"
    definition = load_definition(write_space(tmp_path, RUNGS.replace("  conv:", f"{knobs}  conv:")))
    chosen = searched(definition, 8, judged=misled)
    ended = [choice.values["attention_normalizer"] for choice in chosen if choice.until == 20]
    assert ended[0] == "softmax"
    assert "relu" in ended


def test_the_same_is_chosen_again(tmp_path: Path) -> None:
    definition = load_definition(write_space(tmp_path, LARGE))
    assert searched(definition, 4) == searched(definition, 4)
    other = load_definition(write_space(tmp_path, LARGE.replace("seed: 3", "seed: 4"), "other"))
    assert searched(definition, 4) != searched(other, 4)


def test_what_several_workers_are_at_is_not_chosen_twice_and_they_do_not_all_go_the_same_way(tmp_path: Path) -> None:
    definition = load_definition(write_space(tmp_path, RUNGS))
    search = SurrogateSearch(definition, optuna.create_study(), {})
    begun: list[Begun] = []
    ids: set[str] = set()
    for number in range(8):
        choice = search.choose(begun, ids, may_begin=True)
        assert choice is not None
        ids.add(definition.space.spec(choice.values).id)
        begun.append(Begun(trial=number, values=choice.values, until=choice.until))
    assert len(ids) == 8
    assert len({count(definition.space.spec(one.values)).macs_g for one in begun}) > 4


def test_the_worth_of_a_last_rung_is_its_gain_a_step_and_an_option_to_stop_is_worth_something() -> None:
    given = Hyperparameters(signal=0.2, own=0.05, rung=0.9, own_rung=0.7, growth=1.3, lengths=(1.0,))
    seen = Inputs(np.zeros((2, 1)), np.zeros(2), np.array([9, 9]), np.array([0, 1]))
    process = GaussianProcess(given, np.array([0]), seen, np.array([0.0, 0.3]))
    both = Inputs(np.ones((2, 1)), np.zeros(2), np.array([0, 1]), np.array([0, 1]))

    def improvement(mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
        """Whatever is better than -0.1, by so much."""
        return (-0.1 - mean) * norm.cdf((-0.1 - mean) / sd) + sd * norm.pdf((-0.1 - mean) / sd)

    last, earlier = worth_a_step(process, both, np.array([100.0, 30.0]), np.array([0.0, 70.0]), improvement)
    end = process.predict(both.at(0))
    assert last == pytest.approx(improvement(end.mean, end.sd)[0] / 100)
    assert earlier > last
    then = process.predict(both[1:])
    told = process.between_rungs(both[1:], both[1:].at(0)) / then.sd
    looks, chances = np.polynomial.hermite_e.hermegauss(9)
    gains = improvement(end.mean[1] + told * looks, np.sqrt(end.sd[1] ** 2 - told**2))
    assert np.maximum(0.0, gains - earlier * 70) @ chances / chances.sum() == pytest.approx(earlier * 30)
