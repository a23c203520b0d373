"""How quality is judged by a proxy: the section ``proxy`` of a YAML."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from archlab.architecture import KeptOfHeads
from archlab.compute import ComputeSettings
from archlab.data.settings import DataSettings
from archlab.diffusion.settings import DiffusionSettings, SamplingSettings
from archlab.encoders.settings import EncoderSettings
from archlab.scores.settings import JudgeSettings, ScoreSettings
from archlab.section import Amount, Count, Section
from archlab.training.settings import LessonSettings, TrainingSettings


class Scale(Section):
    """How the proxy is shrunk: channels × ``width``, images of side ``sample_size``."""

    width: Amount = 0.1
    sample_size: Count = 16
    heads: KeptOfHeads = "count"  # of attention: as many as before, or as wide as before


class ProxySettings(
    DataSettings,
    EncoderSettings,
    DiffusionSettings,
    SamplingSettings,
    TrainingSettings,
    LessonSettings,
    ScoreSettings,
    JudgeSettings,
    ComputeSettings,
):
    """What the proxy is trained on, for how long, and how it is scored: the sections of these packages, at one level.

    Whoever needs a section takes it as its own type, by which a proxy's settings may be passed, or as `Section.part`.
    The defaults of rungs, quality, batch size and learning rate are what ``reports/proxy_audit`` recommends.
    """

    scale: Scale = Scale()
    rungs: Annotated[tuple[Count, ...], Field(min_length=1)] = (100,)  # optimiser steps at which it is scored
    seeds: Count = 1
    init: Literal["random", "inherit"] = "random"  # inherit: begin with the trained baseline's weights
    zero_cost: bool = False  # scores at initialisation as further columns

    @model_validator(mode="after")
    def _rungs_rise(self) -> "ProxySettings":
        if list(self.rungs) != sorted(set(self.rungs)):
            raise ValueError(f"rungs must rise but are {list(self.rungs)}")
        return self
