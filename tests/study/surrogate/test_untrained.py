"""Scores at initialisation: asked of few, told of all, kept with the study; and what they promise is trained first."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from archlab.architecture import UNetSpec
from archlab.proxy.settings import ProxySettings
from archlab.study.definition import load_definition
from archlab.study.evaluate import Stages
from archlab.study.surrogate import Begun, SurrogateSearch
from archlab.study.surrogate.candidates import Architecture, Candidates
from archlab.study.surrogate.fits import InMemory
from archlab.study.surrogate.untrained import SURVEY, UntrainedScores
from tests.study.spaces import MINI, write_space

SPACE = MINI.replace("[3]", "[5, 10, 20]").replace("strategy: tpe", "strategy: surrogate")
SPACE = SPACE.replace(
    "  conv:", "  ff_activation: [gelu, swish, relu]\n  attention_normalizer: [softmax, relu]\n  conv:"
)


@pytest.fixture(scope="module")
def candidates(tmp_path_factory: pytest.TempPathFactory) -> Candidates:
    return Candidates(load_definition(write_space(tmp_path_factory.mktemp("space"), SPACE)).space, 0)


@pytest.fixture(scope="module")
def some(candidates: Candidates) -> list[Architecture]:
    everything = [candidates.describe(values) for values in candidates.space.all_values()]
    return random.Random(1).sample(everything, 30)


class Asked:
    """A score, and of which architectures it was asked."""

    def __init__(self, score: Callable[[Architecture], float | None]) -> None:
        self.score, self.ids = score, list[str]()

    def __call__(self, one: Architecture) -> float | None:
        self.ids.append(one.id)
        return self.score(one)


def linear(one: Architecture) -> float:
    """Its features weighted, so that ridge regression finds it nearly."""
    return 500.0 + float(one.row @ np.linspace(-20, 30, len(one.row)))


def made(candidates: Candidates, asked: Asked, study: InMemory | None = None) -> UntrainedScores:
    return UntrainedScores(study or InMemory(), candidates, asked)


def standardised(scores: Sequence[float], usual: Sequence[float]) -> np.ndarray:
    return (np.mean(usual) - np.array(scores)) / np.std(usual)


def test_few_are_asked_and_the_trend_of_all_is_told(candidates: Candidates, some: list[Architecture]) -> None:
    asked = Asked(linear)
    scores = made(candidates, asked)
    assert scores.work_out([])
    trend = scores.trend(some)
    assert sorted(asked.ids) == sorted(one.id for one in candidates.survey(SURVEY))
    truth = standardised(list(map(linear, some)), list(map(linear, candidates.survey(SURVEY))))
    assert np.corrcoef(trend, truth)[0, 1] > 0.95
    scores.work_out(some[:5])
    assert scores.trend(some)[:5] == pytest.approx(truth[:5])


def test_what_is_kept_with_the_study_is_not_asked_again(candidates: Candidates, some: list[Architecture]) -> None:
    study, again = InMemory(), Asked(linear)
    first, second = made(candidates, Asked(linear), study), made(candidates, again, study)
    first.work_out(some[:3])
    assert not second.work_out(some[:3])
    assert second.trend(some) == pytest.approx(first.trend(some))
    assert second.work_out(some)
    assert set(again.ids) == {one.id for one in some} - {one.id for one in [*some[:3], *candidates.survey(SURVEY)]}


def test_however_many_were_begun_the_survey_is_scored(candidates: Candidates) -> None:
    asked = Asked(linear)
    everything = [candidates.describe(values) for values in candidates.space.all_values()]
    assert len({one.id for one in everything}) > 200
    made(candidates, asked).work_out(everything)
    assert len(asked.ids) == 200
    assert {one.id for one in candidates.survey(SURVEY)} <= set(asked.ids)


@pytest.mark.parametrize("score", [None, 7.0], ids=["none", "all_alike"])
def test_without_scores_that_tell_anything_costs_do(
    score: float | None, candidates: Candidates, some: list[Architecture]
) -> None:
    asked = Asked(lambda _: score)
    scores = made(candidates, asked)
    assert scores.work_out(some)
    assert not scores.work_out(some)
    assert scores.trend(some) == pytest.approx([one.cheapness for one in some])


def test_what_its_score_promises_is_begun_first_and_none_is_begun_unscored(tmp_path: Path) -> None:
    """All qualities are alike; relu costs what softmax does, and scores as a much greater network would."""
    definition = load_definition(write_space(tmp_path, SPACE))
    space = definition.space
    relu = {space.spec(values).id for values in space.all_values() if values["attention_normalizer"] == "relu"}
    scored: list[str] = []

    def score(spec: UNetSpec, _settings: ProxySettings) -> float:
        scored.append(spec.id)
        return 600.0 if spec.id in relu else 500.0

    search = SurrogateSearch(definition, InMemory(), {}, stages=Stages(score=score))
    begun: dict[str, Begun] = {}
    for number in range(8):
        choice = search.choose(list(begun.values()), begun, may_begin=True)
        assert choice is not None
        begun[space.spec(choice.values).id] = Begun(
            trial=number, values=choice.values, qualities={5: 0.3, 10: 0.25, 20: 0.2}
        )
    assert sum(name in relu for name in [*begun][1:]) > 4
    assert begun.keys() <= set(scored)
    assert len(scored) == len(set(scored))
