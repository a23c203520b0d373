"""What became of a study's trials."""

import re
from collections import Counter
from typing import NamedTuple

import pandas as pd

from archlab.evaluation.measures import beyond


class Counts(NamedTuple):
    """How many trials were asked for, and how each ended; the most frequent first.

    Attributes:
        gated: by gate: a limit's column, or ``require``.
        stopped: by the rung, in optimiser steps.
        failed: by reason, without its numbers.
        repeats: answered by an earlier trial of the same architecture.
    """

    asked: int
    trained: int
    gated: dict[str, int]
    stopped: dict[int, int]
    failed: dict[str, int]
    repeats: int

    def __str__(self) -> str:
        """``40 asked: 23 trained, 11 over a limit (latency_ms 7, params_m 4), 4 stopped at a rung (200 steps 4)``"""
        if not self.asked:
            return "no trial was asked yet"
        limits = {gate: number for gate, number in self.gated.items() if gate != "require"}
        rungs = {f"{steps} steps": number for steps, number in self.stopped.items()}
        ends = [f"{self.trained} trained"]
        ends += [f"{sum(limits.values())} {beyond(limits)} a limit ({_listed(limits)})"] if limits else []
        ends += [f"{self.gated['require']} excluded by require"] if "require" in self.gated else []
        ends += [f"{sum(rungs.values())} stopped at a rung ({_listed(rungs)})"] if rungs else []
        ends += [f"{sum(self.failed.values())} failed"] if self.failed else []
        ends += [f"{self.repeats} answered by an earlier trial"] if self.repeats else []
        return f"{self.asked} asked: {', '.join(ends)}"


def count_trials(trials: pd.DataFrame) -> Counts:
    """Count the rows of a study's table by how they ended."""
    status = trials["status"]
    stopped = trials.loc[status == "stopped", "stopped_at"].dropna() if "stopped_at" in trials else pd.Series(dtype=int)
    reasons = trials.loc[status == "failed", "reason"].fillna("no reason recorded")
    return Counts(
        asked=len(trials),
        trained=int((status == "complete").sum()),
        gated=dict(Counter(trials.loc[status == "gated", "gate"].astype(str)).most_common()),
        stopped=dict(sorted(Counter(stopped.astype(int)).items())),
        failed=dict(Counter(_without_numbers(reason) for reason in reasons).most_common()),
        repeats=int((status == "repeat").sum()),
    )


def _without_numbers(reason: str) -> str:
    return re.sub(r"[-+]?\d[\d.]*(e[-+]?\d+)?", "…", reason)


def _listed(numbers: dict[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in numbers.items())
