"""The trials between ask and tell: this driver's own, and those that other drivers of the study have."""

import math
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping
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

    @property
    def is_repeat(self) -> bool:
        """Whether it has the architecture of an earlier trial."""
        return self.is_waiting or self.twin is not None

    def seconds(self, now: float) -> float:
        """How long it was worked on."""
        before = 0.0 if self.paused is None else self.paused.seconds
        return before if self.is_paused else before + now - self.since


class OpenTrials:
    """All of them, by number; those that are paused, of which there may be thousands, apart from those under way.

    Args:
        free: content hash of the architecture that uses up none of the study's trials; None where every one does.
    """

    def __init__(self, free: str | None = None) -> None:
        self._free = free
        self._under_way: dict[int, OwnTrial] = {}
        self._paused: dict[int, OwnTrial] = {}
        self._others: dict[int, str] = {}  # their architectures; empty where a driver was killed while it asked
        self._numbers: defaultdict[str, set[int]] = defaultdict(set)  # of all of them, by architecture

    def __bool__(self) -> bool:
        return bool(self._under_way or self._paused or self._others)

    def own(self, number: int | None) -> OwnTrial | None:
        """This driver's trial of that number; None where it is not its own."""
        if number is None:
            return None
        return self._under_way.get(number) or self._paused.get(number)

    def add(self, own: OwnTrial) -> None:
        """A trial that this driver works on, that waits for another, or that is paused from now on."""
        number = own.trial.number
        self.remove(number)
        (self._paused if own.is_paused else self._under_way)[number] = own
        self._numbers[own.spec.id].add(number)

    def remove(self, number: int) -> None:
        """A trial that was told, or that this driver takes up from one that was killed."""
        if own := self._under_way.pop(number, None) or self._paused.pop(number, None):
            self._numbers[own.spec.id].discard(number)
        elif (architecture := self._others.pop(number, None)) is not None:
            self._numbers[architecture].discard(number)

    def see_others(self, architectures: Mapping[int, str]) -> None:
        """Which trials other drivers have now, by number with their architectures."""
        for number in [*self._others]:
            if self._others[number] != architectures.get(number):
                self.remove(number)
        for number, architecture in architectures.items():
            self._numbers[architecture].add(number)
        self._others = dict(architectures)

    def architecture(self, number: int) -> str:
        """That of another driver's trial, as far as it is known."""
        return self._others.get(number, "")

    def is_open(self, architecture: str, before: float = math.inf) -> bool:
        """Whether a trial with a lower number than ``before`` evaluates it, here or elsewhere, or is paused with it."""
        return any(number < before and not self._is_waiting(number) for number in self._numbers.get(architecture, ()))

    def architectures(self, before: float = math.inf) -> Container[str]:
        """Those that are open, see `is_open`, whenever it is asked."""
        return _Architectures(self, before)

    @property
    def new(self) -> int:
        """How many, here and elsewhere, will use up one of the study's trials: no repeats that this driver knows of."""
        free = 0 if self._free is None else len(self._numbers.get(self._free, ()))
        repeats = sum(own.is_repeat for own in self._under_way.values() if own.spec.id != self._free)
        return len(self._under_way) + len(self._paused) + len(self._others) - free - repeats

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
    def latest_paused(self) -> Iterator[OwnTrial]:
        """The same; what was paused last is the first."""
        return reversed(self._paused.values())

    @property
    def under_way(self) -> list[OwnTrial]:
        """The other own trials, by number."""
        return [own for _, own in sorted(self._under_way.items())]

    @property
    def started(self) -> list[float]:
        """When own trials that are evaluated were taken."""
        return [own.since for own in self.under_way if not own.is_waiting]

    def _is_waiting(self, number: int) -> bool:
        own = self._under_way.get(number)
        return own is not None and own.is_waiting


@dataclass(frozen=True)
class _Architectures(Container[str]):
    """A view."""

    trials: OpenTrials
    before: float

    def __contains__(self, item: object) -> bool:
        return isinstance(item, str) and self.trials.is_open(item, self.before)
