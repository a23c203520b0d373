"""A proxy's settings are the sections of several packages at one level."""

import subprocess
import sys
from itertools import combinations
from typing import Any

import pytest
from pydantic import ValidationError

from archlab.compute import ComputeSettings
from archlab.data.settings import DataSettings
from archlab.diffusion.settings import DiffusionSettings, SamplingSettings
from archlab.encoders.settings import EncoderSettings
from archlab.proxy.settings import ProxySettings, Scale
from archlab.scores.settings import JudgeSettings, ScoreSettings
from archlab.section import Section
from archlab.training.settings import Distillation, LessonSettings, TrainingSettings

SECTIONS = (
    DataSettings,
    EncoderSettings,
    DiffusionSettings,
    SamplingSettings,
    TrainingSettings,
    LessonSettings,
    ScoreSettings,
    JudgeSettings,
    ComputeSettings,
)
OWN = {"scale", "rungs", "seeds", "init", "zero_cost"}


def test_every_key_belongs_to_one_section() -> None:
    for first, second in combinations(SECTIONS, 2):
        assert first.model_fields.keys().isdisjoint(second.model_fields)
    assert {name for section in SECTIONS for name in section.model_fields} | OWN == set(ProxySettings.model_fields)


def test_it_is_written_flat_and_read_back() -> None:
    settings = ProxySettings(
        data="digits", rungs=(10, 20), batch_size=32, distill=Distillation(features=0.1), scale=Scale(width=1)
    )
    plain = settings.model_dump(mode="json")
    assert plain.keys() == ProxySettings.model_fields.keys()
    assert (plain["batch_size"], plain["rungs"], plain["distill"]) == (32, [10, 20], {"output": 1.0, "features": 0.1})
    assert ProxySettings.model_validate(plain) == settings


@pytest.mark.parametrize("section", SECTIONS)
def test_a_part_has_the_section_s_values_and_no_others(section: type[Section]) -> None:
    settings = ProxySettings(data="digits", batch_size=32, guidance=3, micro_batch=4, objective="flow", samples=9)
    part = settings.part(section)
    assert type(part) is section
    assert part == section.model_validate(part.model_dump())
    assert all(getattr(part, name) == getattr(settings, name) for name in section.model_fields)


@pytest.mark.parametrize(
    ("change", "place", "message"),
    [
        ({"objective": "flov"}, ("objective",), "no 'flov'; did you mean 'flow'?"),
        ({"schedule": 3}, ("schedule",), "no 3; valid: cosine, linear, scaled_linear, shifted"),
        ({"sampler": ["dpm"]}, ("sampler",), "no ['dpm']"),
        ({"quality": "fit"}, ("quality",), "no 'fit'; did you mean 'fid'?"),
        ({"batch_size": True}, ("batch_size",), "must be a number, not true"),
        ({"distill": {"output": -1}}, ("distill", "output"), "greater than or equal to 0"),
    ],
)
def test_an_error_is_at_the_flat_key(change: dict[str, Any], place: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ProxySettings.model_validate({"data": "digits", **change})
    (error,) = caught.value.errors()
    assert error["loc"] == place
    assert message in error["msg"]


def test_they_are_read_without_torch() -> None:
    code = "import sys, archlab.proxy.settings; sys.exit('torch' in sys.modules or 'diffusers' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
