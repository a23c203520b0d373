"""What is known about one trial, as it is kept in ``evaluation.json``."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import archlab
from archlab.errors import BadInput
from archlab.files import read_json, write_text

Status = Literal["complete", "gated", "failed", "repeat"]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Measured facts about one architecture; what was not measured is None, never 0.

    Attributes:
        gate: the limit (``params_m``, ``macs_g``, ``latency_ms``) or ``require`` that ended a gated trial.
        reason: one line for every status but ``complete``.
        latency: `archlab.latency.Latency` as a dictionary, provenance included.
        proxy: `archlab.proxy.ProxyResult` as a dictionary, provenance included.
    """

    status: Status
    gate: str | None = None
    reason: str | None = None
    params_m: float | None = None
    macs_g: float | None = None
    latency: dict[str, Any] | None = None
    proxy: dict[str, Any] | None = None


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
    def counts(self) -> bool:
        """Whether it uses up one of the study's trials: repeats and refused combinations do not."""
        return self.evaluation.status != "repeat" and self.evaluation.gate != "require"

    def row(self) -> dict[str, Any]:
        """The trial as one flat row of the study's table; what is missing is None."""
        evaluation = self.evaluation
        latency, proxy = evaluation.latency or {}, evaluation.proxy or {}
        known = {
            **self.knobs,
            **self.to_dict(),
            **{name: proxy.get(name) for name in PROXY_COLUMNS},
            "latency_ms": latency.get("median_ms"),
            "latency_p90_ms": latency.get("p90_ms"),
        }
        return {name: known[name] for name in (*COLUMNS, *self.knobs)}

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
            evaluation = Evaluation(**{field.name: data.pop(field.name) for field in fields(Evaluation)})
            return cls(evaluation=evaluation, **data)
        except (KeyError, TypeError) as error:
            raise BadInput(f"{path}: damaged: {error}; restore it, or delete it to have it made again") from None


PROXY_COLUMNS = ("quality", "quality_std", "val_loss", "fid", "fid_label", "train_seconds")
NUMBERS = ["params_m", "macs_g", "latency_ms", "latency_p90_ms", "quality", "quality_std", "val_loss", "fid"]
NUMBERS += ["train_seconds", "seconds"]
COLUMNS = ["trial", "status", "gate", "reason", "architecture", "repeat_of"]
COLUMNS += ["params_m", "macs_g", "latency_ms", "latency_p90_ms", *PROXY_COLUMNS, "seconds", "finished"]
