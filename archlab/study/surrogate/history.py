"""What a surrogate learns from: architectures whose training was begun, and how far they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from archlab.evaluation import Evaluation
from archlab.study.surrogate.candidates import Values


@dataclass(frozen=True, kw_only=True)
class Begun:
    """One trial.

    Attributes:
        known: costs and latencies; None before it has come to its first rung.
        qualities: by rung, in steps.
        until: the rung that it is being trained to, in steps; None: it is paused, or has ended.
        may_go_on: whether it is paused, and this driver's.
    """

    trial: int
    values: Values
    known: Evaluation | None = None
    qualities: Mapping[int, float] = field(default_factory=dict)
    until: int | None = None
    may_go_on: bool = False


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What to do next.

    Attributes:
        trial: the paused one to go on with; None: begin a new one.
        until: the rung to train it to, in steps.
        gain: by how much of itself the hypervolume is expected to grow if the candidate that promises most is trained
            to the end; None before there is any.
        gain_a_step: likewise, by every step of training from now on.
    """

    trial: int | None
    values: Values
    until: int
    gain: float | None = None
    gain_a_step: float | None = None
