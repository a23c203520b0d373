"""A model that learns from another, or begins with its weights."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from archlab.architecture import UNetSpec
from archlab.errors import BadInput
from archlab.model import load_model
from archlab.model.train import train_model
from archlab.training.settings import Distillation
from tests.model.train.trainings import StopAfter, small, weights


def test_an_heir_with_its_parents_architecture_begins_where_the_parent_ended(
    tiny_unet: UNetSpec, undisturbed: Path, tmp_path: Path
) -> None:
    nearly_still = {"learning_rate": 1e-9, "teacher": str(undisturbed), "init": "inherit", "steps": 1}
    out = train_model(tiny_unet, small(**nearly_still), tmp_path / "heir")
    parent, heir = weights(undisturbed), weights(out)
    assert all(heir[name].allclose(parent[name], atol=1e-6) for name in parent)
    facts = load_model(out).facts.training
    assert facts is not None
    assert facts.inherited is not None
    assert facts.inherited["parent"] == tiny_unet.id
    assert sum(facts.inherited["params"].values()) == sum(weight.numel() for weight in parent.values())
    card = json.loads((out / "card.json").read_text(encoding="utf-8"))
    assert {row["how"] for row in card["inheritance"]["rows"]} == {"kept"}
    assert f"`{tiny_unet.id}`" in (out / "card.md").read_text(encoding="utf-8")


def test_a_student_goes_on_bit_for_bit_and_not_with_another_teacher(
    tiny_unet: UNetSpec, undisturbed: Path, tmp_path: Path
) -> None:
    narrow = replace(tiny_unet, stages=tuple(replace(stage, channels=8) for stage in tiny_unet.stages))
    learning = {"teacher": str(undisturbed), "init": "inherit", "distill": Distillation(output=1, features=0.1)}
    settings = small(**learning, checkpoint_seconds=1e6, steps=10)
    whole = train_model(narrow, settings, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train_model(narrow, settings, tmp_path / "parts", watchers=[StopAfter(4)])
    other = train_model(tiny_unet, small(seed=1, steps=1), tmp_path / "other")
    with pytest.raises(
        BadInput,
        match="teacher that it learns from is another, or has changed since it began; give --out another folder",
    ):
        train_model(narrow, settings.model_copy(update={"teacher": str(other)}), tmp_path / "parts")
    parts = train_model(narrow, settings, tmp_path / "parts")
    ours, theirs = weights(whole), weights(parts)
    assert all(ours[name].equal(theirs[name]) for name in ours)
    facts = load_model(parts).facts.training
    assert facts is not None
    assert (facts.teacher, facts.steps) == (str(undisturbed), 10)
    assert facts.inherited == load_model(whole).facts.training.inherited  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"scale": {"width": 1, "sample_size": 16}},
            "works on latents 1×8×8 and contexts 8×64, and this training on latents 1×16×16 and contexts 8×64",
        ),
        ({"objective": "v"}, "objective: the teacher .* has learnt epsilon, and this training is to learn v"),
        ({"schedule": "linear"}, "schedule: the teacher .* has learnt cosine, and this training is to learn linear"),
    ],
)
def test_a_teacher_that_answers_other_questions_is_refused(
    tiny_unet: UNetSpec, undisturbed: Path, tmp_path: Path, changes: dict[str, object], why: str
) -> None:
    settings = small(teacher=str(undisturbed), distill=Distillation(), **changes)
    with pytest.raises(BadInput, match=why):
        train_model(tiny_unet, settings, tmp_path / "model")
    assert not (tmp_path / "model").exists()
