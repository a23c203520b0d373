"""A study as others read it: a table of trials, its front and its picks."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from archlab.analysis.counts import Counts, count_trials
from archlab.analysis.front import mark_front
from archlab.analysis.picks import Pick, pick, picks
from archlab.errors import BadInput
from archlab.space.settings import column_suffixes
from archlab.study.folder import StudyFolder, study_folder
from archlab.study.record import Record, by_device, latency_cells, pooled, table_columns

ROOT = Path("studies")

_NUMBERS = (
    "params_m",
    "macs_g",
    "quality",
    "quality_error",
    "quality_std",
    "val_loss",
    "fid",
    "train_seconds",
    "score_seconds",
    "seconds",
)
_LATENCIES = ("latency_ms", "latency_p90_ms")


def load_study(name: str, root: str | Path = ROOT) -> "Study":
    """The study ``root/name`` as it stands on disk.

    Raises:
        BadInput: there is none of that name.
    """
    return Study(study_folder(name, Path(root)))


class Study:
    """A snapshot of a study.

    Attributes:
        settings: ``study.yaml``.
        records: every finished trial, by number.
    """

    def __init__(self, folder: StudyFolder, records: Sequence[Record] | None = None) -> None:
        """``records``: all finished trials, by number, where they are known; absent: read from disk."""
        self.files = folder
        self.settings: dict[str, Any] = folder.settings()
        self.records: list[Record] = folder.records() if records is None else list(records)

    @property
    def name(self) -> str:
        """The study's name."""
        return self.files.name

    @property
    def folder(self) -> Path:
        """``studies/<name>``"""
        return self.files.path

    @property
    def knobs(self) -> list[str]:
        """Names of the knobs, in the order of application."""
        return list(self.settings["knobs"])

    @property
    def objectives(self) -> list[str]:
        """What is minimised."""
        return list(self.settings["objectives"])

    @property
    def latency_columns(self) -> dict[str, str]:
        """Columns of latencies in ms, each with the name of its device."""
        suffixes = column_suffixes(entry["name"] for entry in self.settings["measure"])
        return {f"latency_ms{suffix}": name for name, suffix in suffixes.items()}

    @property
    def trials_wanted(self) -> int:
        """How many distinct architectures the study is to evaluate or gate."""
        return int(self.settings["search"]["trials"])

    @cached_property
    def baseline(self) -> dict[str, Any]:
        """The baseline as a row: its knob values, cost, and latency where measured."""
        known = self._baseline_file
        return {
            **known.get("knobs", {}),
            "params_m": known.get("params_m"),
            "macs_g": known.get("macs_g"),
            **latency_cells(by_device(known.get("latency"))),
        }

    @property
    def limits(self) -> dict[str, float]:
        """Hard limits, shares of the baseline resolved."""
        return dict(self._baseline_file.get("limits", {}))

    @cached_property
    def quality_label(self) -> str:
        """What ``quality`` is: ``val_loss``, or like ``fid@N`` with what it was judged by."""
        return str(self._first_scored("quality_label") or self.settings["proxy"]["quality"])

    @cached_property
    def reader_accuracy(self) -> float | None:
        """Of the data set's reader, on images that it has not seen; None where no score needs one."""
        accuracy: float | None = self._first_scored("reader_accuracy")
        return accuracy

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row a trial: status, reason, architecture, knobs, costs, latency, scores, ``stopped_at`` (optimiser steps
        of the rung that ended it; then there is no quality), ``on_front``. An architecture that was trained again with
        more seeds has the scores of all of them."""
        records = pooled(self.records)
        further = list(dict.fromkeys(name for record in records for name in record.evaluation.further_scores))
        columns = table_columns(self.knobs, [entry["name"] for entry in self.settings["measure"]], further)
        table = pd.DataFrame([record.row() for record in records], columns=columns)
        numbers = [name for name in columns if name in {*_NUMBERS, *further} or name.startswith(_LATENCIES)]
        table[numbers] = table[numbers].astype(float)
        table["on_front"] = mark_front(table, self.objectives).astype(bool)
        return table

    @cached_property
    def front(self) -> pd.DataFrame:
        """Rows of the Pareto front, the cheapest first."""
        costs = [name for name in self.objectives if name != "quality"] or self.objectives
        return self.trials[self.trials["on_front"]].sort_values(costs).reset_index(drop=True)

    @cached_property
    def counts(self) -> Counts:
        """What became of the trials."""
        return count_trials(self.trials)

    @property
    def picks(self) -> dict[str, Pick]:
        """``knee``, ``fastest``, ``best``, ``smallest`` and ``cheapest`` of the front, each with its reason."""
        return picks(self.front, self.objectives, self.limits)

    def pick(self, word: str) -> Pick:
        """The trial that ``word`` names; see `archlab.analysis.picks.pick`."""
        return pick(self.trials, self.front, self.objectives, word, self.limits)

    def record(self, trial: int) -> Record:
        """One finished trial.

        Raises:
            BadInput: there is none of that number.
        """
        for record in self.records:
            if record.trial == trial:
                return record
        raise BadInput(f"study {self.name} has no finished trial {trial}")

    def _first_scored(self, fact: str) -> Any:
        """A fact about how trials were scored, from the first that has it."""
        found = ((record.evaluation.proxy or {}).get(fact) for record in self.records)
        return next((value for value in found if value is not None), None)

    @cached_property
    def _baseline_file(self) -> dict[str, Any]:
        return self.files.baseline()
