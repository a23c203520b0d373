"""Where there are several ways to hand weights on: which one is taken."""

from dataclasses import dataclass
from typing import Literal

NeuronCriterion = Literal["weights", "activation", "replaceability"]
Sharing = Literal["mean", "keep value", "keep key", "joint"]


@dataclass(frozen=True, kw_only=True)
class Methods:
    """The defaults lost least before any training on the one parent of ``benchmarks/inheritance.py``; after some
    training the ways to trim a feed-forward no longer differ by more than seeds do.

    Attributes:
        sharing: how two projections become one for keys and values; None takes for each attention what changes
            its output least.
        neurons: by what a narrower feed-forward chooses its neurons, given calibration data.
        make_up: whether the channels kept make up for those dropped, given calibration data.
    """

    sharing: Sharing | None = None
    neurons: NeuronCriterion = "replaceability"
    make_up: bool = True
