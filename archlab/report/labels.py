"""Names of columns as people read them, with their units. What is measured is named in the registry of measures."""

from archlab.analysis.table import StudyTable, devices
from archlab.evaluation import LatencyKind
from archlab.evaluation.measures import Column, better, device_columns, find_column
from archlab.report.evaluation import latency_provenance

_HEADINGS = {  # of columns that hold no measure
    "stopped_at": "stopped at (steps)",
    "fid_label": "FID label",
    "quality_error": "± over images",
    "quality_std": "± over seeds",
    "also": "also is",
    "train_seconds": "training (s)",
    "score_seconds": "scoring (s)",
    "seconds": "total (s)",
    "on_front": "on the front",
}
_BESIDE_LATENCY = {
    "latency_low_ms": ("latency from", "ms"),
    "latency_high_ms": ("latency to", "ms"),
    "latency_noisy": ("latency is noisy", ""),
    "latency_rounds": ("rounds side by side", ""),
    "latency_kind": ("latency", "kind"),
}
_KINDS: tuple[LatencyKind, ...] = ("measured", "replayed", "estimated")  # the likeliest to be right first


def heading(column: str, study: StudyTable) -> str:
    """A table's heading: ``latency (ms)``, of several devices ``latency (ms, pixel8)``; quality is headed by what it
    is."""
    found = find_column(study.quality_label if column == "quality" else column)
    if found is None:
        return _headings_beside_latency(study).get(column) or _HEADINGS.get(column, _named(column, study))
    name = _fid_label(study).replace("fid", found.measure.name, 1) if found.measure.is_compared else _heading(found)
    unit_and_place = ", ".join(part for part in (found.measure.unit, _place(found, study)) if part)
    name = f"{name} ({unit_and_place})" if unit_and_place else name
    return name if found.steps is None else f"{name} at {found.steps} steps"


def unit(column: str) -> str:
    """The unit of a measure, empty where there is none."""
    found = find_column(column)
    return found.measure.unit if found else ""


def noun(column: str, study: StudyTable) -> str:
    """The measure as the start of a sentence: ``Latency``, of several devices ``Latency on pixel8``."""
    found = find_column(column)
    if found is None or not found.measure.is_cost:
        shown = heading(column, study)
        return f"{shown[0].upper()}{shown[1:]}" if found and not found.measure.is_compared else shown
    place = _place(found, study)
    return f"{found.measure.subject} on {place}" if place else found.measure.subject


def axis(column: str, study: StudyTable) -> str:
    """Title of an axis: what, unit, how it came about, which way is better."""
    found = find_column(column)
    if found is None:
        return column
    if found.measure.is_score:
        return f"{heading(column, study)} of the proxy · {better([column])}"
    how = {"formula": "counted by formula", "initialisation": "before training"}
    came_about = how.get(found.measure.needs) or latency_how(column, study)
    in_unit = f" in {found.measure.unit}" if found.measure.unit else ""
    return f"{noun(column, study)}{in_unit} · {came_about} · {better([column])}"


def latency_how(column: str, study: StudyTable) -> str:
    """``measured: tflite, 2 threads, fp32``; ``estimated: …``, ``measured or estimated: …`` as provenances say.

    Args:
        column: of a measure that a device decides.
    """
    device = device_of(column, study)
    found = latency_provenance(study, device)
    kinds: list[LatencyKind] = [kind for kind in _KINDS if kind in found] or ["measured"]
    known = found.get(kinds[0], {})
    asked = next((entry.how() for entry in study.measure if entry.name == device), {})
    source = {**asked, **{key: value for key, value in known.items() if value is not None}}
    threads = source.get("threads")
    parts = (
        source.get("device"),
        f"{threads} thread{'s' if threads != 1 else ''}" if threads else None,
        source.get("precision"),
        source.get("compute"),
    )
    return f"{' or '.join(kinds)}: " + (", ".join(str(part) for part in parts if part) or "device unknown")


def device_of(column: str, study: StudyTable) -> str:
    """The device that decides a column; empty for what no device decides, and where the study measures on none."""
    found = find_column(column)
    if found is None or found.measure.needs != "device":
        return ""
    return found.device or next(iter(devices(study)), "")


def _heading(column: Column) -> str:
    name = column.measure.heading
    return name if column.quarter is None else f"{name}, quarter {column.quarter}"


def _named(column: str, study: StudyTable) -> str:
    return study.quality_label if column == "quality" else column


def _place(column: Column, study: StudyTable) -> str:
    """The device, where a study measures on several."""
    return device_of(column.name, study) if len(devices(study)) > 1 else ""


def _headings_beside_latency(study: StudyTable) -> dict[str, str]:
    """Of the columns that say more about a latency."""
    headings: dict[str, str] = {}
    for name, (words, what) in _BESIDE_LATENCY.items():
        for column, device in device_columns(name, devices(study) or [""]).items():
            behind = ", ".join(filter(None, (what, device if len(devices(study)) > 1 else "")))
            headings[column] = f"{words} ({behind})" if behind else words
    return headings


def _fid_label(study: StudyTable) -> str:
    """``fid@256 (digits-reader-8px)``, where the study has but one."""
    labels = list(study.trials["fid_label"].dropna().unique()) if "fid_label" in study.trials else []
    return str(labels[0]) if len(labels) == 1 else "fid"
