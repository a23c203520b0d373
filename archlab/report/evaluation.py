"""What the files of single trials say: evaluations and samples. What cannot be read is absent."""

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from archlab.report.table import StudyTable, front_trials

_PNG = b"\x89PNG\r\n\x1a\n"


def latency_provenance(study: StudyTable) -> dict[str, Any]:
    """How a trial's latency was measured: device, runtime, threads, runs, …; trials of the front first."""
    provenance = any_evaluation(study, "latency").get("provenance")
    return provenance if isinstance(provenance, dict) else {}


def any_evaluation(study: StudyTable, part: str) -> dict[str, Any]:
    """``latency`` or ``proxy`` of a trial that has it; trials of the front first, empty if none has."""
    on_front = front_trials(study)
    numbers = sorted((int(number) for number in study.trials["trial"]), key=lambda n: (n not in on_front, n))
    for number in numbers[:50]:
        found = _evaluation(study.folder / "trials" / str(number)).get(part)
        if isinstance(found, dict):
            return found
    return {}


def samples(study: StudyTable, numbers: Iterable[int], budget_mb: float) -> dict[int, str]:
    """Samples images as data URIs, in the order asked for, until the next one would break the budget."""
    found: dict[int, str] = {}
    left = budget_mb * 1e6
    for number in numbers:
        try:
            content = (study.folder / "trials" / str(number) / "samples.png").read_bytes()
        except OSError:
            continue
        if not content.startswith(_PNG):
            continue
        uri = f"data:image/png;base64,{base64.b64encode(content).decode()}"
        left -= len(uri)
        if left < 0:
            break
        found[number] = uri
    return found


def _evaluation(folder: Path) -> dict[str, Any]:
    try:
        content = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
