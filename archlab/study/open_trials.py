"""The trials between ask and tell: this driver's own, and those that other drivers of the study have."""

import math
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import optuna

from archlab.architecture import UNetSpec
from archlab.evaluation import Evaluation, Record
from archlab.study.paused import Paused


@dataclass
class OwnTrial:
    """What this driver knows of a trial that it took.

    Attributes:
        since: when it was taken, or gone on with, in seconds since the epoch.
        until: the rung that it is trained to before it is decided anew; None where rungs are asked for as they come.
        paused: what it came to when it was paused last.
        is_paused: whether it waits to be gone on with.
        twin: the earlier trial of the same architecture, which it trains with one more seed.
        is_confirmed: whether what an estimate could not decide has been measured.
        is_waiting: for an earlier trial of the same architecture, which is being evaluated.
        future: its evaluation, once an executor has it.
    """

    trial: optuna.Trial
    spec: UNetSpec
    knobs: dict[str, Any]
    since: float
    until: int | None = None
    paused: Paused | None = None
    is_paused: bool = False
    twin: Record | None = None
    is_confirmed: bool = False
    is_waiting: bool = False
    future: Future[Evaluation] | None = None

    def seconds(self, now: float) -> float:
        """How long it was worked on."""
        before = 0.0 if self.paused is None else self.paused.seconds
        return before if self.is_paused else before + now - self.since


@dataclass
class OpenTrial:
    """One trial.

    Attributes:
        architecture: its content hash; empty where another driver was killed while it asked.
        own: None where it is another driver's.
    """

    architecture: str
    own: OwnTrial | None = None

    @property
    def is_evaluated(self) -> bool:
        """Whether somebody works on it; it does not wait for another."""
        return self.own is None or not self.own.is_waiting


class OpenTrials:
    """All of them, by number.

    Args:
        free: content hash of the architecture that uses up none of the study's trials; None where every one does.
    """

    def __init__(self, free: str | None = None) -> None:
        self._free = free
        self._trials: dict[int, OpenTrial] = {}

    def __bool__(self) -> bool:
        return bool(self._trials)

    def own(self, number: int | None) -> OwnTrial | None:
        """This driver's trial of that number; None where it is not its own."""
        found = None if number is None else self._trials.get(number)
        return found.own if found else None

    def add(self, own: OwnTrial) -> None:
        """A trial that this driver works on, or that waits for another."""
        self._trials[own.trial.number] = OpenTrial(own.spec.id, own)

    def remove(self, number: int) -> None:
        """A trial that was told, or that this driver takes up from one that was killed."""
        self._trials.pop(number, None)

    def see_others(self, architectures: Mapping[int, str]) -> None:
        """Which trials other drivers have now, by number with their architectures."""
        ours = {number: trial for number, trial in self._trials.items() if trial.own}
        self._trials = {number: OpenTrial(architecture) for number, architecture in architectures.items()} | ours

    def architecture(self, number: int) -> str:
        """That of another driver's trial, as far as it is known."""
        found = self._trials.get(number)
        return found.architecture if found else ""

    def architectures(self, before: float = math.inf) -> set[str]:
        """What trials with lower numbers than ``before`` are evaluating, here and elsewhere."""
        return {trial.architecture for number, trial in self._trials.items() if number < before and trial.is_evaluated}

    @property
    def new(self) -> int:
        """How many, here and elsewhere, will use up one of the study's trials: no repeats that this driver knows of."""
        return sum(
            trial.own is None or (trial.own.twin is None and not trial.own.is_waiting)
            for trial in self._trials.values()
            if trial.architecture != self._free
        )

    @property
    def futures(self) -> dict[Future[Evaluation], OwnTrial]:
        """What an executor has, in the order in which it was asked for."""
        return {own.future: own for own in self._ours if own.future is not None}

    @property
    def waiting(self) -> list[OwnTrial]:
        """Own trials that wait for another."""
        return [own for own in self._ours if own.is_waiting]

    @property
    def paused(self) -> list[OwnTrial]:
        """Own trials that wait to be gone on with."""
        return [own for own in self._ours if own.is_paused]

    @property
    def started(self) -> list[float]:
        """When own trials that are evaluated were taken."""
        return [own.since for own in self._ours if not own.is_waiting and not own.is_paused]

    @property
    def _ours(self) -> Iterable[OwnTrial]:
        return [trial.own for _, trial in sorted(self._trials.items()) if trial.own]
