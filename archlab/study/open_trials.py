"""The trials between ask and tell: this driver's own, and those that other drivers of the study have."""

import math
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import optuna

from archlab.architecture import UNetSpec
from archlab.evaluation import Evaluation, Record
from archlab.space.knobs import Value
from archlab.study.paused import Paused
from archlab.study.sampler import as_params


@dataclass
class OwnTrial:
    """What this driver knows of a trial that it took.

    Attributes:
        values: of the knobs in effect.
        since: when it was taken, or resumed, in seconds since the epoch.
        until: the rung that it is trained to before it is decided anew; None where rungs are asked for as they come.
        paused: what it came to when it was paused last.
        twin: the earlier trial of the same architecture, which it trains with one more seed.
        is_confirmed: whether what an estimate could not decide has been measured.
        is_waiting: for an earlier trial of the same architecture, which is being evaluated.
        future: its evaluation, once an executor has it.
    """

    trial: optuna.Trial
    spec: UNetSpec
    values: dict[str, Value]
    since: float
    until: int | None = None
    paused: Paused | None = None
    twin: Record | None = None
    is_confirmed: bool = False
    is_waiting: bool = False
    future: Future[Evaluation] | None = None

    @property
    def knobs(self) -> dict[str, Any]:
        """The values as the table has them."""
        return as_params(self.values)

    @property
    def is_paused(self) -> bool:
        """Whether it waits to be resumed."""
        return self.paused is not None and self.until is None

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
    """All of them, by number; those that are paused, of which there may be thousands, apart from those under way.

    Args:
        free: content hash of the architecture that uses up none of the study's trials; None where every one does.
    """

    def __init__(self, free: str | None = None) -> None:
        self._free = free
        self._under_way: dict[int, OpenTrial] = {}
        self._paused: dict[int, OwnTrial] = {}

    def __bool__(self) -> bool:
        return bool(self._under_way or self._paused)

    def own(self, number: int | None) -> OwnTrial | None:
        """This driver's trial of that number; None where it is not its own."""
        if number is None:
            return None
        found = self._under_way.get(number)
        return found.own if found else self._paused.get(number)

    def add(self, own: OwnTrial) -> None:
        """A trial that this driver works on, that waits for another, or that is paused from now on."""
        number = own.trial.number
        self.remove(number)
        if own.is_paused:
            self._paused[number] = own
        else:
            self._under_way[number] = OpenTrial(own.spec.id, own)

    def remove(self, number: int) -> None:
        """A trial that was told, or that this driver takes up from one that was killed."""
        self._under_way.pop(number, None)
        self._paused.pop(number, None)

    def see_others(self, architectures: Mapping[int, str]) -> None:
        """Which trials other drivers have now, by number with their architectures."""
        ours = {number: trial for number, trial in self._under_way.items() if trial.own}
        self._under_way = {number: OpenTrial(architecture) for number, architecture in architectures.items()} | ours

    def architecture(self, number: int) -> str:
        """That of another driver's trial, as far as it is known."""
        found = self._under_way.get(number)
        return found.architecture if found else ""

    def architectures(self, before: float = math.inf) -> set[str]:
        """What trials with lower numbers than ``before`` are evaluating, here and elsewhere, or are paused with."""
        under_way = {
            one.architecture for number, one in self._under_way.items() if number < before and one.is_evaluated
        }
        return under_way | {own.spec.id for number, own in self._paused.items() if number < before}

    @property
    def new(self) -> int:
        """How many, here and elsewhere, will use up one of the study's trials: no repeats that this driver knows of."""
        paused = sum(own.spec.id != self._free for own in self._paused.values())
        return paused + sum(
            trial.own is None or (trial.own.twin is None and not trial.own.is_waiting)
            for trial in self._under_way.values()
            if trial.architecture != self._free
        )

    @property
    def futures(self) -> dict[Future[Evaluation], OwnTrial]:
        """What an executor has, in the order in which it was asked for."""
        return {own.future: own for own in self.under_way if own.future is not None}

    @property
    def waiting(self) -> list[OwnTrial]:
        """Own trials that wait for another."""
        return [own for own in self.under_way if own.is_waiting]

    @property
    def paused(self) -> Mapping[int, OwnTrial]:
        """Own trials that wait to be resumed, by number."""
        return self._paused

    @property
    def under_way(self) -> list[OwnTrial]:
        """The other own trials, by number."""
        return [trial.own for _, trial in sorted(self._under_way.items()) if trial.own]

    @property
    def started(self) -> list[float]:
        """When own trials that are evaluated were taken."""
        return [own.since for own in self.under_way if not own.is_waiting]
