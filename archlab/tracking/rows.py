"""What a mirror is handed: rows of the study's table, and what a trial's training left."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd


class CurvePoint(NamedTuple):
    """A row of a trial's ``curve.csv``: the training loss after so many optimiser steps."""

    step: int
    loss: float
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class MirroredTrial:
    """One trial, however it ended.

    Attributes:
        row: its row of the study's table.
        rungs: its quality at each rung, by step.
        samples: its samples image, if there is one.
    """

    row: Mapping[Any, Any]
    curve: Sequence[CurvePoint] = ()
    rungs: Mapping[int, float] = field(default_factory=dict)
    samples: Path | None = None

    @property
    def points(self) -> dict[int, dict[str, Any]]:
        """``train/loss`` and ``rung/quality`` by step; of several seeds their mean, and ``train/loss_seed_<seed>``."""
        losses: dict[int, dict[int, float]] = defaultdict(dict)
        for point in self.curve:
            losses[point.step][point.seed] = point.loss
        several = len({seed for by_seed in losses.values() for seed in by_seed}) > 1
        points: dict[int, dict[str, Any]] = defaultdict(dict)
        for step, by_seed in losses.items():
            points[step]["train/loss"] = math.fsum(by_seed.values()) / len(by_seed)
            points[step] |= {f"train/loss_seed_{seed}": loss for seed, loss in by_seed.items() if several}
        for step, quality in self.rungs.items():
            points[step]["rung/quality"] = quality
        return dict(sorted(points.items()))


@dataclass(frozen=True, kw_only=True)
class MirroredStudy:
    """The study as it stands.

    Attributes:
        settings: all of them, resolved, to be shown.
        objectives, knobs: columns of the table.
        trials, front: rows of the study's table.
        growth: one row for each finished trial, in the order in which they finished: ``finished`` (1, 2, …), ``trial``,
            ``hypervolume``.
        prices: the price list of the knobs, if there is one.
        figure: the picture of the front, if there is one.
        samples: of the trials that have some, their samples image.
        health: what a reader has to know before believing the front; nothing where all is well.
    """

    settings: Mapping[str, Any]
    objectives: Sequence[str] = ()
    knobs: Sequence[str] = ()
    trials: pd.DataFrame
    front: pd.DataFrame
    growth: pd.DataFrame
    prices: pd.DataFrame | None = None
    figure: Path | None = None
    samples: Mapping[int, Path] = field(default_factory=dict)
    health: Sequence[str] = ()

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """``trials``, ``front`` and, where there is one, ``price_list``; the growth is drawn as a chart."""
        return {"trials": self.trials, "front": self.front} | (
            {} if self.prices is None else {"price_list": self.prices}
        )

    @property
    def summary(self) -> dict[str, Any]:
        """``trials_finished``, ``trials_<status>`` of every status there is, ``front_size``, ``front_noisy`` (how many
        of the front have a noisy latency) and ``health``."""
        statuses = self.trials["status"].value_counts().items()
        ends = {f"trials_{status}": int(number) for status, number in statuses}
        noisy = self.front[[name for name in self.front if str(name).startswith("latency_noisy")]].eq(True)
        return {
            "trials_finished": len(self.trials),
            **ends,
            "front_size": len(self.front),
            "front_noisy": int(noisy.any(axis=1).sum()),
            "health": " ".join(self.health),
        }


def plain(value: Any) -> Any:
    """The value as JSON has it; None for what is missing."""
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (bool, int, float, str)) else str(value)


def of_one_kind(values: Sequence[Any]) -> list[Any]:
    """A column of a table as JSON has it, what is missing None; all of it words where some are: W&B sorts a column of
    numbers as such, and shows images in a column of images alone."""
    known = [plain(value) for value in values]
    kinds = {float if type(value) is int else type(value) for value in known if value is not None}
    return known if len(kinds) < 2 else [None if value is None else str(value) for value in known]
