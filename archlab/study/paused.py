"""Paused trainings: how far a trial is to be trained, and what it came to so far, kept with its Optuna trial.

Such a trial is running, as Optuna has it. It is paused once it was scored at the rung that it was to be trained to;
before, it is under way, or was left behind by a driver that was killed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import optuna
from optuna.trial import FrozenTrial
from pydantic import ConfigDict

from archlab.evaluation import Evaluation
from archlab.evaluation.fact import STRICT, from_plain, to_plain

Span = tuple[float, float]

_UNTIL, _PAUSED = "until", "paused"


@dataclass(frozen=True, kw_only=True)
class Paused:
    """What a paused trial came to.

    Attributes:
        seconds: how long it was worked on.
        spans: when, from and to, in seconds since the epoch.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    evaluation: Evaluation
    seconds: float
    spans: tuple[Span, ...] = ()

    @property
    def rung(self) -> int:
        """Where it is paused, in steps."""
        proxy = self.evaluation.proxy
        return 0 if proxy is None else proxy.steps


def kept(trial: FrozenTrial) -> dict[str, Any]:
    """What is kept with it of all this, as it is now."""
    return {name: trial.user_attrs[name] for name in (_UNTIL, _PAUSED) if name in trial.user_attrs}


def until_attribute(rung: int) -> dict[str, Any]:
    """What a trial that is enqueued has to bear, so that it is trained to this rung."""
    return {_UNTIL: rung}


def resume_until(trial: optuna.Trial, rung: int) -> None:
    """Have the trial trained to this rung."""
    trial.set_user_attr(_UNTIL, rung)


def pause(trial: optuna.Trial, paused: Paused) -> None:
    """Keep what it came to."""
    trial.set_user_attr(_PAUSED, to_plain(paused))


def paused_of(trial: optuna.Trial | FrozenTrial) -> Paused | None:
    """What it came to when it was paused last; None for one that never was."""
    kept = _attributes(trial).get(_PAUSED)
    return None if kept is None else from_plain(Paused, kept, f"trial {trial.number} in the journal")


def spans_of(trials: Iterable[FrozenTrial]) -> dict[int, Sequence[Span]]:
    """When trials were worked on before they were paused, by number; of finished ones, too."""
    paused = {trial.number: trial.user_attrs[_PAUSED] for trial in trials if _PAUSED in trial.user_attrs}
    return {number: tuple((start, end) for start, end in facts.get("spans", ())) for number, facts in paused.items()}


def until_of(trial: optuna.Trial | FrozenTrial, first: int) -> int | None:
    """The rung that it is being trained to; None where it is paused.

    Args:
        first: the lowest rung, for one that was asked for by a driver that was killed.
    """
    until = int(_attributes(trial).get(_UNTIL, first))
    paused = paused_of(trial)
    return None if paused is not None and paused.rung >= until else until


def _attributes(trial: optuna.Trial | FrozenTrial) -> Mapping[str, Any]:
    return trial.user_attrs
