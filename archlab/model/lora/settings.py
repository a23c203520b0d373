"""How a LoRA is trained."""

import re
from typing import Annotated

from pydantic import Field, field_validator

from archlab.compute import ComputeSettings
from archlab.data.settings import DataSettings
from archlab.model.settings import RunSettings
from archlab.section import Amount, Count

USUAL_TARGETS = (  # attention, feed-forward, residual blocks, resampling; neither depthwise nor the first and last
    r".*\.(self_attention|cross_attention)\.(query|key|value|key_value|out)|.*\.feed_forward\.(expand|contract)"
    r"|.*\.residual\.(conv1|conv2|shortcut|time_projection)(\.pointwise)?|(down|up)sample\.\d+\.conv(\.pointwise)?"
)


class LoraSettings(DataSettings, RunSettings, ComputeSettings):
    """What is learnt, of which rank, where, and for how long."""

    rank: Count = 16
    alpha: Amount | None = None  # absent: the rank. What is added to weights is B·A times alpha / rank
    targets: str = USUAL_TARGETS  # a regular expression for whole names of layers
    steps: Count = 500  # of the optimiser
    batch_size: Count = 16
    learning_rate: Amount = 1e-3
    finetune_share: Annotated[float, Field(gt=0, le=1)] = 1.0  # a trained network has its last normaliser
    validate_every: Count = 100  # steps of the optimiser

    @field_validator("targets")
    @classmethod
    def _is_an_expression(cls, targets: str) -> str:
        try:
            re.compile(targets)
        except re.error as error:
            raise ValueError(f"{targets} is no regular expression: {error}") from None
        return targets

    @property
    def given_alpha(self) -> float:
        """The rank where none is given."""
        return float(self.rank) if self.alpha is None else self.alpha
