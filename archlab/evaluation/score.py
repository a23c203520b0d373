"""A score with its error."""

from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict

from archlab.evaluation.fact import STRICT
from archlab.evaluation.measures import MEASURES


@dataclass(frozen=True)
class Score:
    """A number that was measured on some images.

    Attributes:
        label: what it is; scores with different labels are never compared.
        error: its bootstrap standard error over these images: of the score alone. Two networks are scored on the same
            prompts, noise and validation images, so that their difference is surer than that.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    label: str
    value: float
    error: float

    def as_quality(self, name: str) -> "Score":
        """The same, lower is better: of what is better when it is higher, one minus that.

        Args:
            name: of the measure.
        """
        if MEASURES[name].direction == "minimize":
            return self
        return Score(f"1 − {self.label}", 1 - self.value, self.error)
