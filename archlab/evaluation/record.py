"""What is known about one trial, as it stands in ``evaluation.json``."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict

import archlab
from archlab.errors import BadInput
from archlab.evaluation.evaluation import LATENCY_COLUMNS, PROXY_COLUMNS, Evaluation
from archlab.evaluation.fact import MEND, STRICT, Whole, from_json, to_json, to_plain
from archlab.evaluation.measures import column_suffixes
from archlab.files import read_text, write_text

Label = str | Whole | float | None


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """Which trial it is.

    Attributes:
        architecture: the target spec's content hash.
        knobs: labels of the knob values in effect.
        seconds: wall time from ask to tell.
        finished: local time, ISO 8601.
        is_free: whether it uses up none of the study's trials whatever becomes of it, as a search's baseline.
    """

    trial: Whole
    architecture: str
    knobs: dict[str, Label]
    seconds: float
    finished: str
    repeat_of: Whole | None = None
    is_free: bool = False
    archlab: str = archlab.__version__


@dataclass(frozen=True, kw_only=True)
class Record(_Trial):
    """One finished trial: which it is, and its evaluation."""

    evaluation: Evaluation

    @property
    def seeds(self) -> int:
        """How many training runs its scores are of; 0 without scores."""
        return 0 if self.evaluation.proxy is None else len(self.evaluation.proxy.by_seed)

    @property
    def is_distinct(self) -> bool:
        """Whether it stands for its architecture: neither a repeat nor a combination that ``require`` refuses."""
        return self.evaluation.status != "repeat" and self.evaluation.gate != "require"

    @property
    def counts(self) -> bool:
        """Whether it uses up one of the study's trials."""
        return self.is_distinct and not self.is_free

    def row(self, columns: Iterable[str] = ()) -> dict[str, Any]:
        """The trial as one flat row of the study's table; what is missing is None.

        Args:
            columns: further ones that the study's objectives and limits name.
        """
        cells = self.evaluation.cells()
        own = {field.name: getattr(self, field.name) for field in fields(_Trial)}
        ends = {name: getattr(self.evaluation, name) for name in ("status", "gate", "reason")}
        further = {name: self.evaluation.value(name) for name in columns if name not in cells}
        known = {**self.knobs, **own, **ends, **cells, **further}
        return {name: known.get(name) for name in dict.fromkeys([*table_columns(self.knobs, ()), *cells, *further])}

    def to_json(self, indent: int | None = None) -> str:
        """One flat object."""
        return to_json(self._flat(), indent)

    def to_plain(self) -> dict[str, Any]:
        """The same as JSON's own values."""
        return to_plain(self._flat())

    def save(self, path: Path) -> None:
        """Write it, whole or not at all."""
        write_text(path, self.to_json(indent=2) + "\n")

    @classmethod
    def from_json(cls, text: str, where: object) -> "Record":
        """What `to_json` wrote.

        Raises:
            BadInput: somebody damaged it.
        """
        flat = from_json(_Flat, text, where)
        if flat.status == "complete" and flat.proxy is None:
            raise BadInput(f"{where}: damaged: proxy is absent of a complete trial; {MEND}")
        evaluation = Evaluation(**{field.name: getattr(flat, field.name) for field in fields(Evaluation)})
        return cls(evaluation=evaluation, **{field.name: getattr(flat, field.name) for field in fields(_Trial)})

    @classmethod
    def load(cls, path: Path) -> "Record":
        """Read what `save` wrote.

        Raises:
            BadInput: there is none, or somebody damaged it.
        """
        return cls.from_json(read_text(path), path)

    def _flat(self) -> "_Flat":
        return _Flat(
            **{field.name: getattr(self, field.name) for field in fields(_Trial)},
            **{field.name: getattr(self.evaluation, field.name) for field in fields(Evaluation)},
        )


@dataclass(frozen=True, kw_only=True)
class _Flat(Evaluation, _Trial):
    """A record as its file has it: the evaluation's facts stand beside the trial's."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT


def pooled(records: Iterable[Record]) -> list[Record]:
    """The records, an architecture's first with the scores of the repeat that was trained with most seeds."""
    by_trial: dict[int, Record] = {}
    for record in records:
        by_trial[record.trial] = record
        twin = by_trial.get(record.repeat_of) if record.repeat_of is not None else None
        if twin is not None and record.seeds > twin.seeds:
            scored = replace(twin.evaluation, proxy=record.evaluation.proxy)
            by_trial[twin.trial] = replace(twin, evaluation=scored)
    return list(by_trial.values())


def table_columns(knobs: Iterable[str], devices: Sequence[str], further: Iterable[str] = ()) -> list[str]:
    """The columns of a study's table, in order; those of a latency are there without a device, too.

    Args:
        further: columns that only some studies have.
    """
    suffixes = column_suffixes(devices or [""]).values()
    latency = [f"{name}{suffix}" for suffix in suffixes for name in LATENCY_COLUMNS]
    ends = ("trial", "status", "gate", "reason", "architecture", "repeat_of")
    return [*ends, *knobs, "params_m", "macs_g", *latency, *PROXY_COLUMNS, *further, "seconds", "finished"]
