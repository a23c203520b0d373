"""A study as others read it: a table of trials, its front and its picks."""

from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from archlab.errors import BadInput
from archlab.files import read_json
from archlab.study.folder import StudyFolder, study_folder
from archlab.study.front import Pick, mark_front, pick, picks
from archlab.study.record import Record, by_device, latency_cells, table_columns

ROOT = Path("studies")

_NUMBERS = ("params_m", "macs_g", "quality", "quality_std", "val_loss", "fid", "train_seconds", "seconds")
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

    def __init__(self, folder: StudyFolder) -> None:
        self.files = folder
        self.settings: dict[str, Any] = folder.settings()
        self.records: list[Record] = folder.records()

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
        """What ``quality`` is: ``val_loss`` or ``fid@N`` with its extractor."""
        labels = (record.evaluation.proxy or {} for record in self.records)
        found = (proxy["quality_label"] for proxy in labels if proxy)
        return str(next(found, self.settings["proxy"]["quality"]))

    @cached_property
    def feature_accuracy(self) -> float | None:
        """Validation accuracy of the network whose features FID compares; None before the first score."""
        scored = (record.evaluation.proxy for record in self.records if record.evaluation.proxy)
        return next((proxy.get("feature_accuracy") for proxy in scored), None)

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row a trial: status, reason, architecture, knobs, costs, latency, scores, ``on_front``."""
        columns = table_columns(self.knobs, [entry["name"] for entry in self.settings["measure"]])
        table = pd.DataFrame([record.row() for record in self.records], columns=columns)
        numbers = [name for name in columns if name in _NUMBERS or name.startswith(_LATENCIES)]
        table[numbers] = table[numbers].astype(float)
        table["on_front"] = mark_front(table, self.objectives).astype(bool)
        return table

    @cached_property
    def front(self) -> pd.DataFrame:
        """Rows of the Pareto front, the cheapest first."""
        costs = [name for name in self.objectives if name != "quality"] or self.objectives
        return self.trials[self.trials["on_front"]].sort_values(costs).reset_index(drop=True)

    @property
    def picks(self) -> dict[str, Pick]:
        """``knee``, ``fastest`` and ``best`` of the front."""
        return picks(self.front, self.objectives)

    def pick(self, word: str) -> Pick:
        """The trial that ``word`` names; see `archlab.study.front.pick`."""
        return pick(self.trials, self.front, self.objectives, word)

    def record(self, trial: int) -> Record:
        """One finished trial.

        Raises:
            BadInput: there is none of that number.
        """
        for record in self.records:
            if record.trial == trial:
                return record
        raise BadInput(f"study {self.name} has no finished trial {trial}")

    @cached_property
    def _baseline_file(self) -> dict[str, Any]:
        path = self.folder / "baseline.json"
        return read_json(path) if path.is_file() else {}
