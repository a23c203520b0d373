"""What is known about one trial, as it is kept in ``evaluation.json``."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

import archlab
from archlab.errors import BadInput
from archlab.files import read_json, write_text
from archlab.space.settings import column_suffixes

Status = Literal["complete", "gated", "stopped", "failed", "repeat"]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Measured facts about one architecture; what was not measured is None, never 0.

    Attributes:
        status: ``stopped``: at a rung, by the judge; then its scores are those of the rung and no cells of the table.
        gate: the limit (``params_m``, ``macs_g``, ``latency_ms``, ``latency_ms_<name>``) or ``require`` that ended a
            gated trial.
        reason: one line for every status but ``complete``.
        latency: by the name of where it was measured, `archlab.latency.Latency` or ``Estimate`` as a dictionary,
            provenance included.
        proxy: `archlab.proxy.ProxyResult` as a dictionary, provenance included.
    """

    status: Status
    gate: str | None = None
    reason: str | None = None
    params_m: float | None = None
    macs_g: float | None = None
    latency: dict[str, dict[str, Any]] = field(default_factory=dict)
    proxy: dict[str, Any] | None = None

    def cells(self) -> dict[str, Any]:
        """What was measured as cells of the study's table."""
        costs = {"params_m": self.params_m, "macs_g": self.macs_g}
        proxy = self.proxy or {}
        known = PROXY_COLUMNS if proxy.get("stopped_at") is None else ("train_seconds", "score_seconds", "stopped_at")
        scores = {name: proxy.get(name) if name in known else None for name in PROXY_COLUMNS}
        return {**costs, **latency_cells(self.latency), **scores, **self.further_scores}

    @property
    def further_scores(self) -> dict[str, float | None]:
        """Of a training that came to its end: its other metrics, and what was told at initialisation, by column."""
        proxy = self.proxy or {}
        if proxy.get("stopped_at") is not None:
            return {}
        trained = {name: score["value"] for name, score in proxy.get("scores", {}).items()}
        found: dict[str, float | None] = trained | proxy.get("zero_cost", {})
        return {name: value for name, value in found.items() if name not in PROXY_COLUMNS}

    @property
    def is_estimated(self) -> bool:
        """Whether one of its latencies is."""
        return any(latency["provenance"]["kind"] == "estimated" for latency in self.latency.values())


@dataclass(frozen=True, kw_only=True)
class Record:
    """One finished trial.

    Attributes:
        architecture: the target spec's content hash.
        knobs: labels of the knob values in effect.
        seconds: wall time from ask to tell.
        finished: local time, ISO 8601.
    """

    trial: int
    architecture: str
    knobs: dict[str, str | int | float | None]
    evaluation: Evaluation
    seconds: float
    finished: str
    repeat_of: int | None = None
    archlab: str = archlab.__version__

    @property
    def seeds(self) -> int:
        """How many training runs its scores are of; 0 without scores."""
        return len((self.evaluation.proxy or {}).get("by_seed", ()))

    @property
    def counts(self) -> bool:
        """Whether it uses up one of the study's trials: repeats and refused combinations do not."""
        return self.evaluation.status != "repeat" and self.evaluation.gate != "require"

    def row(self) -> dict[str, Any]:
        """The trial as one flat row of the study's table; what is missing is None."""
        cells = self.evaluation.cells()
        known = {**self.knobs, **self.to_dict(), **cells}
        return {name: known.get(name) for name in dict.fromkeys([*table_columns(self.knobs, ()), *cells])}

    def to_dict(self) -> dict[str, Any]:
        """One flat dictionary, as in ``evaluation.json``."""
        flat: dict[str, Any] = asdict(self)
        evaluation = flat.pop("evaluation")
        return {**flat, **evaluation}

    def save(self, path: Path) -> None:
        """Write it as JSON, whole or not at all."""
        write_text(path, json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Record":
        """Read what `save` wrote.

        Raises:
            BadInput: somebody damaged it.
        """
        data = read_json(path)
        try:
            data["latency"] = by_device(data["latency"])
            evaluation = Evaluation(**{field.name: data.pop(field.name) for field in fields(Evaluation)})
            return cls(evaluation=evaluation, **data)
        except (KeyError, TypeError) as error:
            raise BadInput(f"{path}: damaged: {error}; restore it, or delete it to have it made again") from None


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


def by_device(latency: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Latencies by device; older versions of archlab measured on one and kept that alone, or None."""
    if latency and "median_ms" in latency:
        return {latency["provenance"]["device"]: latency}
    return latency or {}


def latency_cells(latency: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Cells of a table: ``latency_ms``, ``latency_p90_ms`` and ``latency_kind`` (measured, estimated, replayed) of the
    first device, ``latency_ms_<name>`` and so on of every other."""
    cells: dict[str, Any] = {}
    for name, suffix in column_suffixes(latency).items():
        cells[f"latency_ms{suffix}"] = latency[name]["median_ms"]
        cells[f"latency_p90_ms{suffix}"] = latency[name].get("p90_ms")
        cells[f"latency_kind{suffix}"] = latency[name]["provenance"]["kind"]
    return cells


def table_columns(knobs: Iterable[str], devices: Sequence[str], scores: Iterable[str] = ()) -> list[str]:
    """The columns of a study's table, in order; those of a latency are there without a device, too.

    Args:
        scores: columns of scores that only some studies have.
    """
    suffixes = column_suffixes(devices or [""]).values()
    latency = [f"{name}{suffix}" for suffix in suffixes for name in ("latency_ms", "latency_p90_ms", "latency_kind")]
    ends = ("trial", "status", "gate", "reason", "architecture", "repeat_of")
    return [*ends, *knobs, "params_m", "macs_g", *latency, *PROXY_COLUMNS, *scores, "seconds", "finished"]


PROXY_COLUMNS = (
    "quality",
    "quality_error",
    "quality_std",
    "val_loss",
    "fid",
    "fid_label",
    "train_seconds",
    "score_seconds",
    "stopped_at",
)
