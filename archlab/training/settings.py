"""How a network is trained, and what it learns from: sections of a YAML."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from archlab.section import Amount, Count, Section, refuse_bool


class TrainingSettings(Section):
    """The optimiser's steps. All of it decides a training."""

    batch_size: Count = 16
    learning_rate: Amount = 2e-3
    warmup_steps: Annotated[int, BeforeValidator(refuse_bool), Field(ge=0, lt=2**63)] = 0  # to the full learning rate
    decay: Literal["constant", "linear", "cosine"] = "constant"  # of the learning rate, to 0 at the last step
    precision: Literal["fp32", "bf16"] = "fp32"  # bf16 on CUDA only
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.99
    prompt_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    finetune_share: Annotated[float, Field(gt=0, lt=1)] = 0.2  # last steps of softmax->relu, run with relu


class Distillation(Section):
    """Weights of what a network learns from a teacher, added to its own loss (BK-SDM, arXiv 2305.15798)."""

    output: Annotated[float, Field(ge=0)] = 1.0
    features: Annotated[float, Field(ge=0)] = 0.0  # of every stage


class LessonSettings(Section):
    """What a network learns from beside images. All of it decides a training."""

    distill: Distillation | None = None  # from a trained baseline

    @property
    def lesson(self) -> str:
        """The lesson's name."""
        return "denoising" if self.distill is None else "teacher"
