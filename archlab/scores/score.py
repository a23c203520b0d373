"""All scores of one network."""

from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict

from archlab.evaluation import Score
from archlab.evaluation.fact import STRICT


@dataclass(frozen=True)
class Scores:
    """What a network came to.

    Attributes:
        quality: the score that the settings chose, lower is better.
        by_name: every score by its column, as the metric is usually written: ``val_loss``, ``val_loss_q1`` (the
            quarter of the process with the least noise) to ``val_loss_q4``, ``fid``, ``kid``, ``precision``,
            ``recall``, ``adherence``, ``clip_score``; with another number of sampling steps ``fid_8_steps`` and so on.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    quality: Score
    by_name: dict[str, Score]
