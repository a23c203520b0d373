"""What a distillation does, one phase after the other."""

import pytest
import torch
from pydantic import ValidationError

from archlab.errors import BadInput
from archlab.model.distill.plan import Beginning, halvings, plan
from archlab.model.distill.request import place_of
from archlab.model.distill.settings import DistillSettings
from archlab.model.distill.signs import signs
from archlab.training.settings import DistributionMatching, SecondNetworkSettings


def names(beginning: Beginning, **settings: object) -> list[str]:
    return [phase.name for phase in plan(DistillSettings.model_validate(settings), beginning, 2.0)]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (32, 8, [16, 8]),
        (32, 1, [16, 8, 4, 2, 1]),
        (8, 4, [4]),
        (40, 5, [20, 10, 5]),
        (1024, 8, [512, 256, 128, 64, 32, 16, 8]),
    ],
)
def test_steps_are_halved(first: int, last: int, expected: list[int]) -> None:
    assert halvings(first, last) == expected
    assert len(halvings(1024, 8)) == 7  # those of arXiv 2202.00512 for ImageNet


@pytest.mark.parametrize(("first", "last"), [(8, 8), (8, 3), (4, 8), (20, 4), (1, 1)])
def test_what_cannot_be_halved_is_refused(first: int, last: int) -> None:
    with pytest.raises(BadInput, match=f"steps: {first} cannot be halved to {last}"):
        halvings(first, last)


def test_guidance_is_folded_in_first_and_never_twice() -> None:
    noise, folded = Beginning(predicts_noise=True, is_folded=False), Beginning(predicts_noise=False, is_folded=True)
    assert names(noise) == ["guidance 2", "32 → 16 steps", "16 → 8 steps"]
    assert names(folded) == ["32 → 16 steps", "16 → 8 steps"]
    assert names(Beginning(predicts_noise=True, is_folded=True), steps=25) == ["guidance 2", "50 → 25 steps"]
    assert names(noise, guidance=1.0, most_guidance=5.0, steps=8, from_steps=16) == [
        "guidance 2 to 5 as an input",
        "16 → 8 steps",
    ]


def test_a_student_of_few_steps_goes_on_from_its_own_and_another_teacher_from_the_teachers() -> None:
    eight = Beginning(predicts_noise=False, is_folded=True, steps=8)
    assert names(eight, steps=4) == ["8 → 4 steps"]
    assert names(eight, steps=2) == ["8 → 4 steps", "4 → 2 steps"]
    with pytest.raises(BadInput, match="8 cannot be halved to 5"):
        names(eight, steps=5)
    assert names(Beginning(predicts_noise=True, is_folded=False, teacher_steps=16)) == ["guidance 2", "16 → 8 steps"]


def test_generators_begin_with_what_progressive_distillation_leaves() -> None:
    noise, four = Beginning(predicts_noise=True, is_folded=False), Beginning(False, is_folded=True, steps=4)
    halved = ["guidance 2", "32 → 16 steps", "16 → 8 steps", "8 → 4 steps"]
    assert names(noise, method="dmd2", steps=4) == [*halved, "dmd2"]
    assert names(four, method="dmd2", steps=4) == ["dmd2"]
    assert names(four, method="ufogen", steps=1) == ["4 → 2 steps", "2 → 1 steps", "ufogen"]
    assert names(noise, method="ufogen", steps=1, from_steps=1) == ["guidance 2", "ufogen"]


def test_the_last_halvings_are_longer_and_generators_learn_slower() -> None:
    folded = Beginning(predicts_noise=False, is_folded=True)
    given = DistillSettings(steps=1, updates=10, from_steps=8, method="dmd2", learning_rate=1e-2)
    phases = plan(given, folded, 2.0)
    assert [phase.updates for phase in phases] == [10, 20, 20, 10]
    assert [phase.learning_rate for phase in phases] == [1e-2, 1e-2, 1e-2, 2e-3]
    assert isinstance(phases[-1].settings, DistributionMatching)
    assert phases[-1].settings.fake_learning_rate == 2e-3
    told = given.model_copy(update={"dmd2": SecondNetworkSettings(fake_learning_rate=1e-3, learning_rate_share=1)})
    last = plan(told, folded, 2.0)[-1]
    assert isinstance(last.settings, DistributionMatching)
    assert (last.learning_rate, last.settings.fake_learning_rate) == (1e-2, 1e-3)


def test_steps_that_schedulers_round_are_refused() -> None:
    with pytest.raises(ValidationError, match="divide 1,000"):
        DistillSettings(steps=16)


@pytest.mark.parametrize(
    ("model", "place"),
    [
        ("models/knee", "models/knee-8"),
        ("models/knee-16", "models/knee-8"),
        ("quickstart:3", "models/quickstart-3-8"),
        ("a-3:knee", "models/a-3-knee-8"),
    ],
)
def test_students_are_called_after_their_steps(model: str, place: str) -> None:
    assert str(place_of(model, 8)) == place


def test_pictures_show_what_goes_wrong() -> None:
    generator = torch.Generator().manual_seed(0)
    real, drawn = torch.randn(2, 64, 1, 8, 8, generator=generator)
    real, drawn = real * 0.5, drawn * 0.5
    assert signs(drawn, real) == []
    for wrong, word in (
        (drawn + 0.4, "drift"),
        (drawn * 0.3, "pale"),
        (drawn * 2, "over-saturated"),
        (drawn[:1].expand_as(drawn), "all alike"),
    ):
        assert any(word in line for line in signs(wrong, real)), word
