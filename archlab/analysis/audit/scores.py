"""Every score that the trainings of a study recorded, as something to order its architectures by."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from archlab.analysis.audit.agreement import Floats
from archlab.analysis.table import StudyTable
from archlab.errors import BadInput
from archlab.evaluation import Record, pooled
from archlab.evaluation.measures import COSTS, direction
from archlab.evaluation.proxy import SeedResult

Key = tuple[str, int]  # metric, optimiser steps


@dataclass(frozen=True, kw_only=True, eq=False)
class RecordedScore:
    """A way to order architectures; lower values come first.

    Attributes:
        steps: optimiser steps before it is known; 0: before any training.
        values: [S, N] seeds by architectures; one row where no seed is in it.
        seconds: of training one architecture with one seed up to there, the mean; NaN where no curve tells.
    """

    metric: str
    steps: int
    values: Floats
    seconds: float

    @property
    def order(self) -> Floats:
        """[N], the mean over seeds."""
        mean: Floats = self.values.mean(axis=0)
        return mean

    @property
    def name(self) -> str:
        """``val_loss@600``; what is known before training, by its metric alone."""
        return f"{self.metric}@{self.steps}" if self.steps else self.metric


@dataclass(frozen=True, kw_only=True, eq=False)
class RecordedScores:
    """What is known of the architectures that were trained to the end.

    Attributes:
        records: theirs, in the order of the scores' columns.
        by_key: the scores that all of them have, by metric and steps, those that are known first first.
    """

    records: list[Record]
    by_key: dict[Key, RecordedScore]


def read_scores(study: StudyTable) -> RecordedScores:
    """Every score of a study's complete trials: at each rung, at initialisation, and the costs.

    Raises:
        BadInput: somebody damaged a training curve.
    """
    records = [record for record in pooled(study.records) if record.evaluation.status == "complete"]
    found = [_of_record(record) for record in records]
    shared = {key for key in (found[0] if found else ()) if all(key in each for each in found)}
    curves = _curves(study, records)
    by_key = {}
    for metric, steps in sorted(shared, key=lambda key: (key[1], key[0])):
        runs = [each[metric, steps] for each in found]
        seeds = min(map(len, runs))
        by_key[metric, steps] = RecordedScore(
            metric=metric,
            steps=steps,
            values=np.array([of[:seeds] for of in runs], dtype=float).T,
            seconds=float(curves.loc[curves["step"] == steps, "seconds"].mean()) if steps else 0.0,
        )
    return RecordedScores(records=records, by_key=by_key)


def _of_record(record: Record) -> dict[Key, list[float]]:
    """By metric and steps one value for each seed, or the one there is; a metric that a seed lacks is left out."""
    evaluation, proxy = record.evaluation, record.evaluation.proxy
    untrained = proxy.zero_cost if proxy else {}
    before = {name: evaluation.value(name) for name in COSTS} | untrained
    found: dict[Key, list[float]] = {(metric, 0): [-value] for metric, value in before.items() if value is not None}
    runs = [_of_run(run) for run in (proxy.by_seed if proxy else ())]
    for key in runs[0] if runs else ():
        if all(key in run for run in runs):
            found[key] = [run[key] for run in runs]
    return found


def _of_run(run: SeedResult) -> dict[Key, float]:
    """A run's scores by metric and step, turned so that lower is better as ``quality`` is."""
    return {
        (metric, step): score.value if direction(metric) == "minimize" else 1 - score.value
        for step, by_metric in run.scores.items()
        for metric, score in by_metric.items()
    }


def _curves(study: StudyTable, records: Sequence[Record]) -> pd.DataFrame:
    """Steps with the training seconds up to each, of every seed of every trial whose file is there."""
    paths = [study.folder / "trials" / str(record.trial) / "curve.csv" for record in records]
    found = [_curve(path) for path in paths if path.is_file()]
    return pd.concat(found) if found else pd.DataFrame(columns=["step", "seconds"], dtype=float)


def _curve(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, usecols=["step", "seconds"])
    except ValueError as error:
        raise BadInput(f"{path}: damaged: {error}; restore it, or delete it") from None
