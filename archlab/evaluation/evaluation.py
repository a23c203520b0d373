"""Everything that was measured of one architecture."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict

from archlab.evaluation.fact import STRICT
from archlab.evaluation.latency import AnyLatency, Confirmed
from archlab.evaluation.measures import MEASURES, OF_DEVICES, column_suffixes, find_column
from archlab.evaluation.proxy import ProxyResult

Status = Literal["complete", "gated", "stopped", "failed", "repeat"]

_OF_TRAINING = ("quality", "quality_error", "quality_std", "val_loss", "fid", "fid_label")
_HOW_IT_WENT = ("train_seconds", "score_seconds", "stopped_at")
PROXY_COLUMNS = (*_OF_TRAINING, *_HOW_IT_WENT)
LATENCY_COLUMNS = (
    "latency_ms",
    "latency_low_ms",
    "latency_high_ms",
    "latency_p90_ms",
    "latency_noisy",
    "latency_rounds",
    "latency_kind",
)


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Measured facts about one architecture; what was not measured is None, never 0.

    Attributes:
        status: ``stopped``: pruned at a rung; then its scores are those of the rung and no cells of the table.
        gate: the column whose limit, or ``require``, ended a gated trial.
        reason: one line for every status but ``complete``.
        latency: by the name of the device that it is of.
        proxy: what its training came to.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    status: Status
    gate: str | None = None
    reason: str | None = None
    params_m: float | None = None
    macs_g: float | None = None
    latency: dict[str, AnyLatency] = field(default_factory=dict)
    proxy: ProxyResult | None = None

    def cells(self) -> dict[str, Any]:
        """What was measured as cells of the study's table; what is missing is None."""
        return {
            "params_m": self.params_m,
            "macs_g": self.macs_g,
            **latency_cells(self.latency),
            **self._proxy_cells(),
            **self.further_scores,
        }

    def value(self, column: str) -> float | None:
        """The number in a column; None where it is not known."""
        found = {**device_cells(self.latency), **self.cells()}.get(column)
        return found if isinstance(found, (int, float)) else None

    @property
    def further_scores(self) -> dict[str, float | None]:
        """Of a training that came to its end: its other metrics, and scores at initialisation, by column."""
        if self.proxy is None or self.proxy.stopped_at is not None:
            return {}
        trained = {name: score.value for name, score in self.proxy.scores.items()}
        found: dict[str, float | None] = trained | self.proxy.zero_cost
        return {name: value for name, value in found.items() if name not in PROXY_COLUMNS}

    @property
    def is_estimated(self) -> bool:
        """Whether one of its latencies is."""
        return any(latency.kind == "estimated" for latency in self.latency.values())

    def _proxy_cells(self) -> dict[str, Any]:
        if self.proxy is None:
            return dict.fromkeys(PROXY_COLUMNS)
        known = PROXY_COLUMNS if self.proxy.stopped_at is None else _HOW_IT_WENT
        return {name: getattr(self.proxy, name) if name in known else None for name in PROXY_COLUMNS}


def latency_cells(latency: Mapping[str, AnyLatency]) -> dict[str, Any]:
    """`LATENCY_COLUMNS` of the first device, ``latency_ms_<name>`` and so on of every other.

    ``latency_low_ms`` and ``latency_high_ms`` are the interval or the band, ``latency_noisy`` whether it cannot be
    trusted, ``latency_rounds`` in how many rounds it was measured side by side with the baseline's, None where it was
    measured once, ``latency_kind`` how it came about: measured, estimated, replayed.
    """
    cells: dict[str, Any] = {}
    for name, suffix in column_suffixes(latency).items():
        known = latency[name]
        rounds = known.rounds if isinstance(known, Confirmed) else None
        values = (known.median_ms, known.low_ms, known.high_ms, known.p90_ms, known.noisy, rounds, known.kind)
        cells |= {f"{column}{suffix}": value for column, value in zip(LATENCY_COLUMNS, values, strict=True)}
    return cells


def kind_column(column: str) -> str | None:
    """The column that says how the values of a device's column came about; None for what no device decides."""
    found = find_column(column)
    if found is None or found.measure.needs != "device":
        return None
    return f"latency_kind_{found.device}" if found.device else "latency_kind"


def noisy_column(column: str) -> str | None:
    """The column that says whether the values of a latency's column can be trusted; None for what is no latency."""
    return _beside(column, "latency_noisy")


def rounds_column(column: str) -> str | None:
    """The column that says in how many rounds a latency was measured side by side; None for what is no latency."""
    return _beside(column, "latency_rounds")


def interval_columns(column: str) -> tuple[str, str] | None:
    """The columns of both ends of a latency's interval; None for what is no latency."""
    low, high = _beside(column, "latency_low_ms"), _beside(column, "latency_high_ms")
    return None if low is None or high is None else (low, high)


def _beside(column: str, name: str) -> str | None:
    found = find_column(column)
    if found is None or found.measure.name != "latency_ms":
        return None
    return f"{name}_{found.device}" if found.device else name


def device_cells(latency: Mapping[str, AnyLatency]) -> dict[str, float | None]:
    """Every measure that a device decides, of every device."""
    return {
        f"{measure}{suffix}": getattr(latency[name], MEASURES[measure].attribute)
        for name, suffix in column_suffixes(latency).items()
        for measure in OF_DEVICES
    }
