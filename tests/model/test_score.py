"""Scores of models. The metrics themselves are compared with torchmetrics in `tests/scores`."""

import copy
from dataclasses import replace

import pytest
import torch

from archlab.cost import count
from archlab.data.captioned import CaptionedImages
from archlab.errors import BadInput, RunFailed
from archlab.model import Model
from archlab.model.score import Scoring, common_data, score_models
from archlab.model.score_cache import weights_hash
from archlab.scores.images import ImageScorer
from archlab.scores.settings import JudgeSettings
from archlab.scores.validation import ValidationLoss

QUICK = Scoring(steps=(4, 1), samples=40, devices=())


@pytest.fixture(scope="module")
def data(model: Model) -> CaptionedImages:
    return common_data({"small": model}, None)


def test_a_row_for_each_number_of_steps_with_what_an_image_costs(model: Model) -> None:
    first, last = score_models({"small": model}, replace(QUICK, devices=("tflite",)))
    assert [(row.steps, row.passes, row.guidance) for row in (first, last)] == [(4, 8, 2.0), (1, 2, 2.0)]
    for row in (first, last):
        cells = row.row()
        assert cells["image_ms"] == row.passes * row.latency["tflite"].median_ms == row.passes * cells["latency_ms"]
        assert cells["params_m"] * 1e6 == sum(weight.numel() for weight in model.unet.parameters())
        assert cells["macs_g"] == count(model.spec).macs / 1e9
        assert cells["fid_label"] == "fid@40 (digits-reader-8px)"
        assert list(cells)[:5] == ["model", "steps", "passes", "fid", "fid_error"]
        assert {"kid", "precision", "recall", "adherence", "val_loss"} < {*cells}
    assert first.scores["fid"].value < last.scores["fid"].value
    assert first.scores["val_loss"] == last.scores["val_loss"]


def test_scores_are_of_the_seeds_from_0_on_and_of_the_data(model: Model, data: CaptionedImages) -> None:
    (row,) = score_models({"small": model}, replace(QUICK, steps=(3,), guidance=1.0))
    scorer = ImageScorer(data, 40, JudgeSettings())
    images = torch.cat([model.draw([p], [s], steps=3, guidance=1.0) for s, p in enumerate(scorer.prompts)])
    for name, score in scorer.scores(images).items():
        assert row.scores[name].value == pytest.approx(score.value, abs=1e-3)
    assert row.passes == 3


def test_the_loss_is_that_of_a_proxy(model: Model, val_loss: ValidationLoss) -> None:
    (row,) = score_models({"small": model}, replace(QUICK, steps=(1,)))
    assert row.scores["val_loss"].value == pytest.approx(val_loss(model.unet), rel=1e-5)


def test_what_was_scored_once_is_not_drawn_again(model: Model) -> None:
    before = score_models({"small": model}, QUICK)
    again = score_models({"again": Mute(**vars(model))}, QUICK)
    assert [row.scores for row in again] == [row.scores for row in before]
    for changed in (replace(QUICK, guidance=1.5), replace(QUICK, samples=41), replace(QUICK, steps=(2,))):
        with pytest.raises(AssertionError, match="it drew"):
            score_models({"again": Mute(**vars(model))}, changed)


class Mute(Model):
    """A model that must not draw."""

    def draw(self, *_: object, **__: object) -> torch.Tensor:
        raise AssertionError("it drew")


def test_other_weights_are_another_model(model: Model) -> None:
    other = copy.deepcopy(model.unet)
    assert weights_hash(other) == weights_hash(model.unet)
    changed = copy.deepcopy(model.unet)
    with torch.no_grad():
        next(changed.parameters()).flatten()[0] += 1e-3
    assert weights_hash(changed) != weights_hash(model.unet)


def test_models_of_different_data_are_not_compared(model: Model) -> None:
    larger = replace(model, facts=replace(model.facts, image_size=16))
    with pytest.raises(BadInput, match=r"a is judged by digits at 8 pixels, b by digits at 16 pixels: .* score them"):
        common_data({"a": model, "b": larger}, None)


def test_data_must_be_known_and_fit(model: Model) -> None:
    unknown = replace(model, facts=replace(model.facts, data=None))
    with pytest.raises(BadInput, match=r"foreign: what it was trained on is not known.*--data SOURCE"):
        common_data({"foreign": unknown}, None)
    assert common_data({"foreign": unknown}, "digits").name == "digits"
    larger = replace(model, facts=replace(model.facts, image_size=16))
    with pytest.raises(BadInput, match="small draws grey images, those of shapes are coloured"):
        common_data({"small": larger}, "shapes")


def test_data_that_changed_are_said(model: Model) -> None:
    said: list[str] = []
    stale = replace(model, facts=replace(model.facts, data_id="0" * 16))
    score_models({"small": stale}, replace(QUICK, samples=3, steps=(1,)), say=said.append)
    assert said[0].startswith("small: digits has changed since it was trained on it")
    assert said[1] == "precision needs samples of at least 8"


def test_what_draws_no_numbers_has_no_scores(model: Model) -> None:
    broken = copy.deepcopy(model.unet)
    with torch.no_grad():
        next(broken.parameters()).fill_(float("nan"))
    with pytest.raises(RunFailed, match="small draws infinite or NaN pixels with 4 steps"):
        score_models({"small": replace(model, unet=broken)}, QUICK)
