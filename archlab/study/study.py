"""A study as others read it: a table of trials, its front and its picks."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from archlab.analysis.counts import Counts, count_trials
from archlab.analysis.effects import change_effects
from archlab.analysis.front import mark_front
from archlab.analysis.picks import Pick, pick, picks
from archlab.analysis.table import cost_objectives
from archlab.architecture import UNetSpec, load
from archlab.errors import BadInput
from archlab.evaluation import Confirmation, ProxyResult, Record, find_column, pooled, table_columns
from archlab.evaluation.measures import device_columns
from archlab.latency.measurement import Measurement
from archlab.proxy.settings import ProxySettings
from archlab.registry import Registry
from archlab.space import Design, SearchSpace
from archlab.studies import ROOT, check_study
from archlab.study.confirmed import confirmed_baseline, confirmed_record
from archlab.study.definition import StudyDefinition
from archlab.study.folder import StudyFolder, study_folder
from archlab.study.saved import SavedStudy

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

    from archlab.model.model import Model

_PLOTS: Registry[Callable[..., "Figure"]] = Registry(  # of a package above this one, loaded when one looks
    {kind: f"archlab.report.notebook:plot_{kind}" for kind in ("front", "effects", "history")}
)
_VIEWS: Registry[Callable[["Study"], str]] = Registry({"html": "archlab.report.notebook:as_html"})

BASELINE = "baseline"  # in the place of a trial

_MOST_DIGITS = 10  # of a trial's number

_NUMBERS = ("quality_error", "quality_std", "train_seconds", "score_seconds", "seconds")  # that are no measures


def load_study(name: str, root: str | Path = ROOT) -> "Study":
    """The study ``root/name`` as it stands on disk.

    Raises:
        BadInput: there is none of that name, or somebody damaged it.
    """
    return Study(study_folder(name, Path(root)))


def load_trial_model(name: str, word: str, device: "torch.device") -> "Model":
    """The trained proxy of a trial or pick of that study under ``studies``; see `Study.model`."""
    check_study(name, ROOT)
    return load_study(name).model(word, device)


class Study:
    """A snapshot of a study.

    Attributes:
        settings: ``study.yaml``.
        confirmation: what was measured side by side: it decides latencies, limits and the front.
        records: every finished trial, by number.
    """

    def __init__(self, folder: StudyFolder, records: Sequence[Record] | None = None) -> None:
        """``records``: all finished trials, by number, where they are known; absent: read from disk."""
        self.files = folder
        self.settings: SavedStudy = folder.settings()
        self.confirmation: Confirmation = folder.confirmation()
        known = folder.baseline()
        self._baseline = known and confirmed_baseline(known, self.confirmation, self.settings)
        self.records: list[Record] = [
            confirmed_record(record, self.confirmation, self.limits, self.settings)
            for record in (folder.records() if records is None else records)
        ]

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
        return list(self.settings.knobs)

    @property
    def objectives(self) -> list[str]:
        """Columns of the measures that the study trades off."""
        return list(self.settings.objectives)

    @property
    def latency_columns(self) -> dict[str, str]:
        """Columns of latencies in ms, each with the name of its device."""
        return device_columns("latency_ms", self.settings.devices)

    @property
    def measure(self) -> tuple[Measurement, ...]:
        """Where latency is measured."""
        return self.settings.measure

    @property
    def proxy(self) -> ProxySettings:
        """How quality is judged."""
        return self.settings.proxy

    @cached_property
    def definition(self) -> StudyDefinition:
        """The study as it would be run again.

        Raises:
            BadInput: somebody damaged its settings.
        """
        return self.settings.definition()

    @property
    def space(self) -> SearchSpace:
        """See `definition`."""
        return self.definition.space

    @property
    def design(self) -> Design:
        """How the arms of its plan follow from the space; of a search, none do."""
        return self.settings.design

    @property
    def resolved(self) -> dict[str, Any]:
        """All settings as ``study.yaml`` has them."""
        return self.settings.to_plain()

    @property
    def baseline_spec(self) -> UNetSpec:
        """The baseline's architecture."""
        return self.settings.baseline_spec

    @property
    def trials_wanted(self) -> int:
        """How many distinct architectures the study is to evaluate or gate, besides a search's baseline."""
        return self.settings.search.trials

    @cached_property
    def baseline(self) -> dict[str, Any]:
        """The baseline as a row: its knob values, cost, and latency where measured."""
        return self._baseline.row() if self._baseline else {"params_m": None, "macs_g": None}

    @property
    def baseline_proxy(self) -> ProxyResult | None:
        """What the baseline's training came to; None where it was not trained."""
        return self._baseline.proxy if self._baseline else None

    @property
    def limits(self) -> dict[str, float]:
        """Hard limits, shares of the baseline resolved."""
        return dict(self._baseline.limits) if self._baseline else {}

    @cached_property
    def quality_label(self) -> str:
        """What ``quality`` is: ``val_loss``, or like ``fid@N`` with what it was judged by."""
        return next((result.quality_label for result in self._results), self.settings.proxy.quality)

    @cached_property
    def reader_accuracy(self) -> float | None:
        """Of the data set's attribute classifier, on images that it has not seen; None where no score needs one."""
        known = (result.reader_accuracy for result in self._results)
        return next((accuracy for accuracy in known if accuracy is not None), None)

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row a trial: status, reason, architecture, knobs, costs, latency, scores, ``stopped_at`` (optimiser steps
        of the rung that ended it; then there is no quality), ``on_front``. An architecture that was trained again with
        more seeds has the scores of all of them."""
        records = pooled(self.records)
        scores = [name for record in records for name in record.evaluation.further_scores]
        named = [name for name in self.settings.named_columns if name not in table_columns((), self.settings.devices)]
        columns = table_columns(self.knobs, self.settings.devices, dict.fromkeys([*scores, *named]))
        table = pd.DataFrame([record.row(named) for record in records], columns=columns)
        numbers = [name for name in columns if name not in self.knobs and (name in _NUMBERS or find_column(name))]
        table[numbers] = table[numbers].astype(float)
        table["on_front"] = mark_front(table, self.objectives).astype(bool)
        return table

    @cached_property
    def front(self) -> pd.DataFrame:
        """Rows of the Pareto front, the cheapest first."""
        costs = cost_objectives(self.objectives) or self.objectives
        return self.trials[self.trials["on_front"]].sort_values(costs).reset_index(drop=True)

    @cached_property
    def counts(self) -> Counts:
        """What became of the trials."""
        return count_trials(self.trials)

    @property
    def picks(self) -> dict[str, Pick]:
        """``knee``, ``good_and_fast``, ``best``, ``smallest`` and ``fastest`` of the front, each with its reason."""
        return picks(self.front, self.objectives, self.limits)

    @cached_property
    def prices(self) -> pd.DataFrame:
        """What each knob value costs and does to quality, see `archlab.analysis.effects.price_list`; of an ablation,
        its effects.

        Raises:
            BadInput: its settings are damaged.
        """
        return change_effects(self)

    def plot(self, kind: str = "front", **how: str) -> "Figure":
        """A chart, as a figure of matplotlib that a notebook shows.

        Args:
            kind: ``front``, quality against a cost, whose column ``cost=`` may name; ``effects`` of changes or knobs;
                ``history``, how the front grew.

        Raises:
            BadInput: there is no such chart, or the study does not hold enough for it yet.
        """
        try:
            _PLOTS.checked(kind)
        except ValueError as error:
            raise BadInput(f"plot: {error}") from None
        return _PLOTS[kind](self, **how)

    def __repr__(self) -> str:
        return f"<Study {self.name}: {self.counts}; {len(self.front)} on the front>"

    def _repr_html_(self) -> str:
        """Its counts and its front with the picks, for notebooks."""
        return _VIEWS["html"](self)

    def pick(self, word: str) -> Pick:
        """The trial that ``word`` names; see `archlab.analysis.picks.pick`."""
        return pick(self.trials, self.front, self.objectives, word, self.limits)

    def architecture(self, word: str) -> UNetSpec:
        """The architecture of a pick, of a finished trial by its number, however it ended, or of the ``baseline``.

        Raises:
            BadInput: there is none, or somebody damaged it.
        """
        if word == BASELINE:
            return self.baseline_spec
        return load(self.files.trial(self.trial_number(word)) / "architecture.yaml")

    def trial_number(self, word: str) -> int:
        """The trial that a pick or a number of a finished trial names.

        Raises:
            BadInput: there is none.
        """
        number = int(word) if word.isdecimal() and len(word) < _MOST_DIGITS else self.pick(word).trial
        return self.record(number).trial

    def model(self, word: str | int, device: "torch.device | None" = None) -> "Model":
        """The trained proxy of a pick, of a trial by its number, or of the ``baseline``, to draw with.

        The baseline's is trained now where no trial has needed it yet.

        Args:
            device: where it draws; absent: the CPU.

        Raises:
            BadInput, RunFailed: see `archlab.study.trial_model.trial_model`.
        """
        import torch

        from archlab.study.trial_model import baseline_model, trial_model

        device = device or torch.device("cpu")
        if word == BASELINE:
            return baseline_model(f"{self.name}:{word}", self.baseline_spec, self.proxy, device)
        trial = self.trial_number(str(word))
        folder = self.files.trial(trial)
        return trial_model(
            f"{self.name}:{word}",
            load(folder / "architecture.yaml"),
            self.proxy,
            folder / "checkpoint.safetensors",
            self.record(trial).evaluation.proxy,
            device,
        )

    def record(self, trial: int) -> Record:
        """One finished trial.

        Raises:
            BadInput: there is none of that number.
        """
        for record in self.records:
            if record.trial == trial:
                return record
        raise BadInput(f"study {self.name} has no finished trial {trial}")

    @property
    def _results(self) -> list[ProxyResult]:
        return [record.evaluation.proxy for record in self.records if record.evaluation.proxy is not None]
