"""What is said of images that a runtime draws."""

import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from archlab.export.networks import networks_of_model
from archlab.export.pictures import Judge, Judging, psnr_db
from tests.export.models import pixel_model


def test_psnr_is_that_of_scikit_image() -> None:
    one, other = torch.rand(2, 3, 3, 8, 8) * 2 - 1
    assert psnr_db(other, one) == pytest.approx(peak_signal_noise_ratio(one.numpy(), other.numpy(), data_range=2))
    assert psnr_db(one, one) == 150


def test_network_that_overflows_is_said_and_not_scored() -> None:
    model = pixel_model()
    judge = Judge(model, networks_of_model(model), Judging(2, 0), lambda _: None)
    nan = {"unet": lambda inputs: [torch.full_like(inputs["sample"], torch.nan)]}
    pictures = judge.pictures("runtime", "fp16", nan)
    assert (pictures.psnr_db, pictures.scores, pictures.compared) == (None, {}, 2)
    assert pictures.note == "it draws infinite or NaN pixels"
    assert not judge.drawn


def test_data_that_changed_since_the_training_score_nothing() -> None:
    said: list[str] = []
    model = pixel_model(data="digits", data_id="of another day")
    judge = Judge(model, networks_of_model(model), Judging(0, 20), said.append)
    assert judge.torch.scores == {}
    assert said == ["no scores: digits has changed since pixels was trained on it"]
