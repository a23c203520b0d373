"""What the samplers propose: never what is known to be useless, and the same for the same seed and number."""

from collections.abc import Container, Mapping
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from archlab.cost import count
from archlab.space.knobs import Value
from archlab.study.definition import StudyDefinition, load_definition
from archlab.study.limits import cost_limits
from archlab.study.sampler import as_params, make_sampler, suggest
from archlab.study.store.rebuild import reopened
from tests.study.spaces import MINI, write_space

STRATEGIES = ["tpe", "nsga2", "nsga3", "random"]
NARROW = MINI.replace(
    "measure: []",
    'require: ["conv == \'separable\' or ff_ratio > 4"]\nmeasure: []\nconstraints: {macs_g: {max: "50%"}}',
).replace("res_blocks: [1/2, 1/1]", "res_blocks: {choices: [1/2, 1/1], when: {conv: separable}}")


def space_of(folder: Path, strategy: str, text: str = NARROW) -> StudyDefinition:
    return load_definition(write_space(folder, text.replace("strategy: tpe", f"strategy: {strategy}")))


def propose(
    definition: StudyDefinition, trials: int, limits: Mapping[str, float], avoid_known: bool = True
) -> list[dict[str, Value]]:
    """What a study of so many trials asks for, judged by a formula; what is infeasible is told as such."""
    study = optuna.create_study(directions=["minimize", "minimize"])
    asked: list[dict[str, Value]] = []
    known: Container[str] = ()
    for _ in range(trials):
        study.sampler = make_sampler(definition, limits=limits, known=known)
        trial = study.ask()
        asked.append(suggest(trial, definition.space))
        assert trial.params == as_params(asked[-1])
        cost = count(definition.space.spec(asked[-1]))
        study.tell(trial, [1 / cost.params_m, cost.macs_g])
        if avoid_known:
            known = {definition.space.spec(values).id for values in asked}
    return asked


@pytest.fixture(autouse=True)
def quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_nothing_useless_is_proposed(strategy: str, tmp_path: Path) -> None:
    definition = space_of(tmp_path, strategy)
    limits = cost_limits(definition)
    asked = propose(definition, 12, limits)
    specs = [definition.space.spec(values) for values in asked]
    assert all(count(spec).macs_g <= limits["macs_g"] for spec in specs)
    assert all(definition.space.permits(values) for values in asked)
    assert len({spec.id for spec in specs}) == len(specs)
    assert any(count(definition.space.spec(values)).macs_g > limits["macs_g"] for values in propose(definition, 12, {}))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_proposal_follows_seed_number_and_what_was_told(strategy: str, tmp_path: Path) -> None:
    definition = space_of(tmp_path, strategy)
    asked = propose(definition, 10, cost_limits(definition))
    assert propose(definition, 10, cost_limits(definition)) == asked
    other = space_of(tmp_path, strategy, NARROW.replace("seed: 3", "seed: 4"))
    assert propose(other, 10, cost_limits(other)) != asked


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_space_in_which_all_is_known_still_gets_proposals(strategy: str, tmp_path: Path) -> None:
    definition = space_of(tmp_path, strategy)
    study = optuna.create_study(directions=["minimize", "minimize"])
    study.sampler = make_sampler(
        definition, limits={}, known={definition.space.spec(v).id for v in definition.space.all_values()}
    )
    assert definition.space.spec(suggest(study.ask(), definition.space))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_useful_proposal_is_left_as_it_is(strategy: str, tmp_path: Path) -> None:
    definition = space_of(tmp_path, strategy, MINI)
    everything = {definition.space.spec(values).id for values in definition.space.all_values()}
    for number in range(5):
        proposed = []
        for known in (set(), everything):
            study = optuna.create_study(directions=["minimize", "minimize"])
            study.add_trials([create_trial(state=TrialState.FAIL)] * number)
            study.sampler = make_sampler(definition, limits={"latency_ms": 0.0}, known=known)
            proposed.append(suggest(study.ask(), definition.space))
            everything -= {definition.space.spec(proposed[0]).id}
        assert proposed[0] == proposed[1]


def test_random_is_uniform_over_what_is_useful(tmp_path: Path) -> None:
    from scipy.stats import chisquare

    definition = space_of(tmp_path, "random", MINI)
    limits = {"macs_g": 0.4 * count(definition.space.baseline).macs_g}
    useful = [v for v in definition.space.all_values() if count(definition.space.spec(v)).macs_g <= limits["macs_g"]]
    asked = propose(definition, 10 * len(useful), limits, avoid_known=False)
    assert chisquare([asked.count(values) for values in useful]).pvalue > 0.001


def test_a_trial_that_a_kill_left_half_suggested_gets_the_rest(tmp_path: Path) -> None:
    definition = space_of(tmp_path, "tpe")
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(storage=storage, directions=["minimize", "minimize"])
    study.enqueue_trial({"conv": "standard"})
    trial = study.ask()
    trial.suggest_categorical("conv", ["standard", "separable"])
    study.sampler = make_sampler(definition, limits={})
    again = reopened(study, storage, trial.number)
    values = suggest(again, definition.space)
    assert values["conv"] == "standard"
    assert "res_blocks" not in values
    assert study.get_trials(states=[TrialState.RUNNING])[0].params == as_params(values)
