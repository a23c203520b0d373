"""A training's settings: what a study brings with it, and what is written over that."""

from pathlib import Path

import pytest

from archlab.errors import BadInput
from archlab.model.train.request import requested_settings
from archlab.proxy.settings import ProxySettings, Scale

STUDY = ProxySettings(
    data="digits",
    objective="v",
    min_snr=5,
    guidance=3.0,
    scale=Scale(width=0.25, sample_size=8),
    batch_size=7,
    learning_rate=9e-3,
    rungs=(9,),
    threads=1,
)


def test_a_study_brings_what_is_right_for_its_targets_and_not_what_suits_small_proxies() -> None:
    settings = requested_settings(STUDY, None, {"vae": None}, [])
    assert (settings.data, settings.objective, settings.min_snr, settings.guidance) == ("digits", "v", 5, 3.0)
    assert (settings.scale.width, settings.scale.sample_size) == (1.0, 8)
    assert (settings.batch_size, settings.learning_rate, settings.steps, settings.threads) == (64, 2e-3, 1000, None)


def test_a_config_is_over_the_study_options_over_that_and_set_over_all(tmp_path: Path) -> None:
    config = tmp_path / "train.yaml"
    config.write_text("objective: epsilon\nsteps: 5\nbatch_size: 6\nscale: {width: 0.5}\n", encoding="utf-8")
    options = {"steps": 50, "batch_size": 60, "scale": {"sample_size": 16}}
    settings = requested_settings(STUDY, config, options, ["batch_size=600", "training.ema_decay=0.5"])
    assert (settings.objective, settings.steps, settings.batch_size, settings.ema_decay) == ("epsilon", 50, 600, 0.5)
    assert (settings.scale.width, settings.scale.sample_size) == (0.5, 16)


def test_whoever_has_a_teacher_learns_from_it_unless_that_is_switched_off() -> None:
    assert requested_settings(STUDY, None, {}, []).distill is None
    distill = requested_settings(STUDY, None, {"teacher": "s:baseline"}, []).distill
    assert distill is not None
    assert (distill.output, distill.features) == (1, 0)
    assert requested_settings(STUDY, None, {"teacher": "s:baseline"}, ["distill=null"]).distill is None


@pytest.mark.parametrize(
    ("options", "assignments", "message"),
    [
        ({"init": "inherit"}, [], "--init: needs a teacher"),
        ({}, ["distill.output=2"], "--set distill.output: needs a teacher"),
        ({"scale": {"width": -1.0}}, [], "--scale: Input should be greater than 0, not -1.0"),
        ({"learning_rate": 0.0}, [], "--learning-rate: Input should be greater than 0, not 0.0"),
        ({"data": "digit"}, [], "--data: no 'digit', nor is it a path; did you mean 'digits'?"),
        ({}, ["keep=0"], "--set keep: Input should be greater than or equal to 1, not 0"),
    ],
)
def test_what_is_wrong_names_the_option(options: dict[str, object], assignments: list[str], message: str) -> None:
    with pytest.raises(BadInput) as error:
        requested_settings(STUDY, None, options, assignments)
    assert str(error.value).startswith(message)


def test_what_is_wrong_in_the_config_has_its_place_and_data_are_asked_for(tmp_path: Path) -> None:
    config = tmp_path / "train.yaml"
    config.write_text("steps: 5\nkepp: 3\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"train\.yaml:2:1: kepp: unknown key; did you mean 'keep'\?"):
        requested_settings(STUDY, config, {}, [])
    with pytest.raises(BadInput, match=r"^--data: is missing$"):
        requested_settings(None, None, {"steps": 3}, [])
