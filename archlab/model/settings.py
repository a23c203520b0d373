"""How a model is trained: ``train.yaml``, the same sections as a study's ``proxy``."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from archlab.compute import ComputeSettings
from archlab.data.settings import DataSettings
from archlab.diffusion.settings import DiffusionSettings
from archlab.encoders.settings import EncoderSettings
from archlab.scores.settings import JudgeSettings
from archlab.section import Amount, Count, Section
from archlab.training.settings import LessonSettings, TrainingSettings


class ModelScale(Section):
    """The network's size: channels × ``width``, latents of side ``sample_size``."""

    width: Amount = 1.0
    sample_size: Count | None = None  # absent: the architecture's own


class RunSettings(TrainingSettings):
    """How anything of a model is trained: by these steps, with pictures and checkpoints between them."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    batch_size: Count = 64
    draw_every: Count = 500  # steps of the optimiser
    checkpoint_seconds: Amount = 60.0
    keep: Count = 2  # checkpoints to go on from


class ModelSettings(
    DataSettings,
    EncoderSettings,
    DiffusionSettings,
    RunSettings,
    LessonSettings,
    JudgeSettings,
    ComputeSettings,
):
    """What a model is trained on and for how long, and how it draws: the sections of these packages, at one level."""

    scale: ModelScale = ModelScale()
    steps: Count = 1000  # of the optimiser
    init: Literal["random", "inherit"] = "random"  # inherit: begin with the teacher's weights
    teacher: str | None = None  # a model's folder, one of diffusers', or study:baseline
    sampling_steps: Count = 50  # with which the model draws unless asked otherwise
    guidance: Annotated[float, Field(ge=0)] = 2.0
    validate_every: Count = 100  # steps of the optimiser

    @model_validator(mode="after")
    def _learns_from_somebody(self) -> "ModelSettings":
        for key, asks in (("init", self.init == "inherit"), ("distill", self.distill is not None)):
            if asks and self.teacher is None:
                raise ValueError(f"{key}: needs a teacher: a model, a diffusers folder or study:baseline")
        return self
