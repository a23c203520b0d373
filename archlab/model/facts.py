"""What is known of a model beside its networks: ``archlab.json``."""

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import ConfigDict

from archlab.diffusion.settings import DiffusionSettings
from archlab.evaluation.fact import STRICT, Whole


@dataclass(frozen=True, kw_only=True)
class TrainingFacts:
    """How the weights came about.

    Attributes:
        settings: all of them, as YAML has them.
        steps, seconds: of the optimiser, and in these steps alone.
        val_loss: of the averaged weights in the end; None where it was not measured.
        inherited: what it began with, if with another network's weights.
        teacher: whom it learnt from, by name.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    settings: dict[str, Any]
    steps: Whole
    seconds: float
    seed: Whole = 0
    val_loss: float | None = None
    inherited: dict[str, Any] | None = None
    teacher: str | None = None


@dataclass(frozen=True, kw_only=True)
class DistillationFacts:
    """How a model came to draw in fewer steps.

    Attributes:
        method: progressive, ufogen or dmd2.
        of: the model that it was, by name; its weights are what the student began with.
        teacher: whom it learnt from, by name.
        guidance: the teacher's, which the student needs no second pass for.
        phases: what was learnt one after the other, in words.
        settings: all of them, as YAML has them.
        steps, seconds: of the optimiser, and in these steps alone.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    method: str
    of: str
    teacher: str
    guidance: float
    phases: tuple[str, ...]
    settings: dict[str, Any]
    steps: Whole
    seconds: float


@dataclass(frozen=True)
class LoraUsed:
    """A LoRA that is in a model's weights, and how much of it."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: str
    weight: float


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What a folder of diffusers' does not say.

    Attributes:
        architecture: content hash of the spec.
        diffusion: what the UNet predicts, and of which schedule; None where the scheduler is of another.
        steps, guidance: with which it draws unless asked otherwise.
        data: what it was trained on, as `archlab.data.load.load_data` reads it; None where that is not known.
        data_id: content hash of the data at the image size.
        context_length: tokens of a context.
        vocabulary: words that the data's captions have; empty where they are not known.
        training: None where it was trained elsewhere, or distilled.
        distillation: None for a model that draws in as many steps as it is asked to.
        loras: that are in its weights.
        archlab: the version that made it.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: str
    architecture: str
    diffusion: DiffusionSettings | None
    steps: Whole
    guidance: float
    image_size: Whole
    context_length: Whole
    data: str | None = None
    data_id: str | None = None
    vocabulary: tuple[str, ...] = ()
    training: TrainingFacts | None = None
    distillation: DistillationFacts | None = None
    loras: tuple[LoraUsed, ...] = ()
    archlab: str
