"""Names of columns as people read them, with their units."""

from collections.abc import Mapping
from typing import Any

from archlab.report.table import StudyTable

_HEADINGS = {
    "trial": "trial",
    "status": "status",
    "reason": "reason",
    "architecture": "architecture",
    "latency_ms": "latency (ms)",
    "latency_p90_ms": "latency p90 (ms)",
    "macs_g": "MACs (G)",
    "params_m": "parameters (M)",
    "val_loss": "validation loss",
    "fid": "FID",
    "fid_label": "FID label",
    "quality_std": "± over seeds",
    "train_seconds": "training (s)",
    "seconds": "total (s)",
    "finished": "finished",
    "on_front": "on the front",
}
_UNITS = {"latency_ms": "ms", "latency_p90_ms": "ms", "macs_g": "G", "params_m": "M"}
_NOUNS = {"latency_ms": "Latency", "macs_g": "Multiply-accumulates (MACs)", "params_m": "Parameters"}


def heading(column: str, study: StudyTable) -> str:
    """A table's heading: ``latency (ms)``; quality is headed by what it is."""
    name = study.quality_label if column == "quality" else column
    return _HEADINGS.get(name, name)


def unit(column: str) -> str:
    """The unit of a cost, empty where there is none."""
    return _UNITS.get(column, "")


def noun(column: str) -> str:
    """The cost as the start of a sentence: ``Latency``."""
    return _NOUNS.get(column, column)


def cost_axis(column: str, study: StudyTable, provenance: Mapping[str, Any] | None = None) -> str:
    """Title of the cost axis: what, unit, how it came about, which way is better."""
    how = measured_how(study, provenance) if column == "latency_ms" else "counted by formula"
    return f"{noun(column)} in {unit(column)} · {how} · lower is better" if unit(column) else column


def quality_axis(study: StudyTable) -> str:
    """Title of the quality axis."""
    return f"{heading('quality', study)} of the proxy · lower is better"


def measured_how(study: StudyTable, provenance: Mapping[str, Any] | None = None) -> str:
    """``measured: tflite, 2 threads, fp32``; ``estimated: …`` where the provenance of a latency says so."""
    known = provenance or {}
    first: dict[str, Any] = next(iter(study.settings.get("measure") or []), {})
    source = {**first, **{key: value for key, value in known.items() if value is not None}}
    threads = source.get("threads")
    parts = (
        source.get("device"),
        f"{threads} thread{'s' if threads != 1 else ''}" if threads else None,
        source.get("precision"),
    )
    return f"{known.get('kind', 'measured')}: " + (", ".join(str(part) for part in parts if part) or "device unknown")
