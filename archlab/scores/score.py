"""A score, and all scores of one network."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from archlab.space.settings import HIGHER_IS_BETTER


@dataclass(frozen=True)
class Score:
    """A number that was measured on some images.

    Attributes:
        label: what it is; scores with different labels are never compared.
        error: its bootstrap standard error over these images: of the score alone. Two networks are scored on the same
            prompts, noise and validation images, so that their difference is surer than that.
    """

    label: str
    value: float
    error: float

    def as_quality(self, name: str) -> "Score":
        """The same, lower is better: of what is better when it is higher, one minus that.

        Args:
            name: of the metric.
        """
        if name not in HIGHER_IS_BETTER:
            return self
        return Score(f"1 − {self.label}", 1 - self.value, self.error)


@dataclass(frozen=True)
class Scores:
    """What a network came to.

    Attributes:
        quality: the score that the settings chose, lower is better.
        by_name: every score by its column, as the metric is usually written: ``val_loss``, ``val_loss_q1`` (the
            quarter of the process with the least noise) to ``val_loss_q4``, ``fid``, ``kid``, ``precision``,
            ``recall``, ``adherence``, ``clip_score``; with another number of sampling steps ``fid_8_steps`` and so on.
    """

    quality: Score
    by_name: dict[str, Score]

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Scores":
        """What `to_dict` made."""
        by_name = {name: Score(**score) for name, score in content["by_name"].items()}
        return cls(Score(**content["quality"]), by_name)
