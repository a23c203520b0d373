"""Names of columns as people read them, with their units."""

import re
from typing import Any

from archlab.analysis.table import StudyTable, latency_columns
from archlab.evaluation import LatencyKind
from archlab.report.evaluation import latency_provenance

_HEADINGS = {
    "trial": "trial",
    "status": "status",
    "reason": "reason",
    "stopped_at": "stopped at (steps)",
    "architecture": "architecture",
    "macs_g": "MACs (G)",
    "params_m": "parameters (M)",
    "val_loss": "validation loss",
    "fid_label": "FID label",
    "clip_score": "CLIP score",
    "quality_error": "± over images",
    "quality_std": "± over seeds",
    "grad_norm": "gradient norm",
    "train_seconds": "training (s)",
    "score_seconds": "scoring (s)",
    "seconds": "total (s)",
    "finished": "finished",
    "on_front": "on the front",
}
_COMPARED = ("fid", "kid", "precision", "recall")  # by as many images and the same features
_UNITS = {"macs_g": "G", "params_m": "M"}
_NOUNS = {"macs_g": "Multiply-accumulates (MACs)", "params_m": "Parameters"}
_KINDS: tuple[LatencyKind, ...] = ("measured", "replayed", "estimated")


def heading(column: str, study: StudyTable) -> str:
    """A table's heading: ``latency (ms)``, of several devices ``latency (ms, pixel8)``; quality is headed by what it
    is."""
    name = study.quality_label if column == "quality" else column
    if part := re.fullmatch(r"(.+)_(\d+)_steps", name):
        return f"{heading(part[1], study)} at {part[2]} steps"
    if name in _COMPARED:
        return _fid_label(study).replace("fid", name, 1)
    if part := re.fullmatch(r"val_loss_q(\d)", name):
        return f"{_HEADINGS['val_loss']}, quarter {part[1]}"
    return {**_HEADINGS, **_latency_headings(study)}.get(name, name)


def _fid_label(study: StudyTable) -> str:
    """``fid@256 (digits-reader-8px)``, where the study has but one."""
    labels = list(study.trials["fid_label"].dropna().unique()) if "fid_label" in study.trials else []
    return str(labels[0]) if len(labels) == 1 else "fid"


def _latency_headings(study: StudyTable) -> dict[str, str]:
    columns = latency_columns(study)
    headings = {}
    for column, device in columns.items():
        suffix, where = column.removeprefix("latency_ms"), f", {device}" if len(columns) > 1 else ""
        headings[column] = f"latency (ms{where})"
        headings[f"latency_p90_ms{suffix}"] = f"latency p90 (ms{where})"
        headings[f"latency_kind{suffix}"] = f"latency (kind{where})"
    return headings


def unit(column: str) -> str:
    """The unit of a cost, empty where there is none."""
    return "ms" if column.startswith("latency_") else _UNITS.get(column, "")


def noun(column: str, study: StudyTable) -> str:
    """The cost as the start of a sentence: ``Latency``, of several devices ``Latency on pixel8``."""
    columns = latency_columns(study)
    if column in columns:
        return f"Latency on {columns[column]}" if len(columns) > 1 else "Latency"
    return _NOUNS.get(column, column)


def cost_axis(column: str, study: StudyTable) -> str:
    """Title of the cost axis: what, unit, how it came about, which way is better."""
    how = latency_how(column, study) if column in latency_columns(study) else "counted by formula"
    return f"{noun(column, study)} in {unit(column)} · {how} · lower is better" if unit(column) else column


def quality_axis(study: StudyTable) -> str:
    """Title of the quality axis."""
    return f"{heading('quality', study)} of the proxy · lower is better"


def latency_how(column: str, study: StudyTable) -> str:
    """``measured: tflite, 2 threads, fp32``; ``estimated: …``, ``measured or estimated: …`` as provenances say."""
    device = latency_columns(study)[column]
    found = latency_provenance(study, device)
    kinds: list[LatencyKind] = [kind for kind in _KINDS if kind in found] or ["measured"]
    known = found.get(kinds[0], {})
    asked: dict[str, Any] = next((entry.how() for entry in study.measure if entry.name == device), {})
    source = {**asked, **{key: value for key, value in known.items() if value is not None}}
    threads = source.get("threads")
    parts = (
        source.get("device"),
        f"{threads} thread{'s' if threads != 1 else ''}" if threads else None,
        source.get("precision"),
        source.get("compute"),
    )
    return f"{' or '.join(kinds)}: " + (", ".join(str(part) for part in parts if part) or "device unknown")
