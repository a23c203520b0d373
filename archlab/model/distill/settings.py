"""How a model is distilled to few steps."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from archlab.compute import ComputeSettings
from archlab.diffusion.paths import TRAIN_TIMESTEPS
from archlab.model.settings import RunSettings
from archlab.section import Amount, Count
from archlab.training.settings import AdversarialSettings, SecondNetworkSettings

Method = Literal["progressive", "ufogen", "dmd2"]


class DistillSettings(RunSettings, ComputeSettings):
    """What is learnt, from whom and for how long. A phase is one lesson: folding guidance in, or halving the steps."""

    method: Method = "progressive"
    steps: Count = 8  # that the student takes
    guidance: Amount | None = None  # that is folded in; absent: with which the model draws
    most_guidance: Amount | None = None  # the guidance becomes an input of the network, from `guidance` to this
    teacher: str | None = None  # another model to learn from; absent: the model itself
    data: str | None = None  # absent: what the model was trained on
    from_steps: Count = 32  # progressive begins with at least so many
    updates: Count = 500  # steps of the optimiser in each phase
    learning_rate: Amount = 1e-3
    decay: Literal["constant", "linear", "cosine"] = "linear"  # of the learning rate, in each phase
    prompt_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0  # a student with guidance folded in has no use for it
    finetune_share: Annotated[float, Field(gt=0, le=1)] = 1.0  # a trained network has its last normaliser
    ufogen: AdversarialSettings = AdversarialSettings()
    dmd2: SecondNetworkSettings = SecondNetworkSettings()

    @model_validator(mode="after")
    def _are_possible(self) -> "DistillSettings":
        if TRAIN_TIMESTEPS % self.steps:
            raise ValueError(
                f"steps: diffusers' schedulers take exactly these steps only where they divide {TRAIN_TIMESTEPS:,}, "
                f"like 1, 2, 4, 5, 8, 10, 20 or 25; {self.steps} do not"
            )
        if self.most_guidance is not None and self.most_guidance <= (self.guidance or 0):
            raise ValueError(f"most_guidance: must be over guidance, not {self.most_guidance:g}")
        return self
