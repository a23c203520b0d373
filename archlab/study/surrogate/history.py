"""What a surrogate learns from: architectures whose training was begun, and how far they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from archlab.evaluation import Evaluation
from archlab.study.surrogate.candidates import Values


@dataclass(frozen=True, kw_only=True)
class Begun:
    """One trial.

    Attributes:
        known: costs and latencies; None before it has come to its first rung.
        qualities: by rung, in steps.
        until: the rung that it is being trained to, in steps; None: it is paused, or has ended.
        is_resumable: whether it is paused, and this driver's.
        seconds: how long it was worked on.
    """

    trial: int
    values: Values
    known: Evaluation | None = None
    qualities: Mapping[int, float] = field(default_factory=dict)
    until: int | None = None
    is_resumable: bool = False
    seconds: float = 0.0

    @cached_property
    def steps(self) -> int:
        """How far it was trained."""
        return max(self.qualities, default=0)


class Gain(NamedTuple):
    """By how much of itself a hypervolume is expected to grow, with both ends of an 80 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What to do next.

    Attributes:
        trial: the paused one to go on with; None: begin a new one.
        until: the rung to train it to, in steps.
        gain: by how much of itself the hypervolume is expected to grow if the candidate that promises most is trained
            to the end; None before there is any.
        gain_a_step: likewise, by every step of training from now on.
        gain_an_hour: likewise, by a further hour of the study; None where its pace is not known yet.
    """

    trial: int | None
    values: Values
    until: int
    gain: float | None = None
    gain_a_step: float | None = None
    gain_an_hour: Gain | None = None


@dataclass
class Pace:
    """How fast a study trains, all else that a trial takes included.

    Attributes:
        steps: of training.
        seconds: for which those trials were worked on that came to a rung.
    """

    steps: int = 0
    seconds: float = 0.0

    def count(self, one: Begun) -> None:
        """One more trial."""
        if one.steps:
            self.steps += one.steps
            self.seconds += one.seconds

    def discount(self, one: Begun) -> None:
        """One that was counted, and has changed."""
        if one.steps:
            self.steps -= one.steps
            self.seconds -= one.seconds

    def steps_an_hour(self, workers: int = 1) -> float | None:
        """With so many workers; None before it is known."""
        return 3600 * workers * self.steps / self.seconds if self.steps and self.seconds > 0 else None
