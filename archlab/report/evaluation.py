"""What the files of single trials say: evaluations and samples. What cannot be read is absent."""

import base64
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from archlab.report.table import StudyTable, front_trials

_PNG = b"\x89PNG\r\n\x1a\n"


def latency_provenance(study: StudyTable, device: str) -> dict[str, dict[str, Any]]:
    """How latencies on a device came about (runtime, threads, runs, …), one of each kind: measured, estimated,
    replayed; trials of the front first."""
    found: dict[str, dict[str, Any]] = {}
    for latencies in _parts(study, "latency"):
        facts = latencies if "provenance" in latencies else latencies.get(device)  # older studies have a single one
        if isinstance(facts, dict) and isinstance(provenance := facts.get("provenance"), dict):
            found.setdefault(str(provenance.get("kind", "measured")), provenance)
    return found


def proxy_facts(study: StudyTable) -> dict[str, Any]:
    """How a trial was scored; empty if none was."""
    return next(_parts(study, "proxy"), {})


def _parts(study: StudyTable, part: str) -> Iterator[dict[str, Any]]:
    """``latency`` or ``proxy`` of the trials that have it; trials of the front first, 50 are looked at."""
    on_front = front_trials(study)
    numbers = sorted((int(number) for number in study.trials["trial"]), key=lambda n: (n not in on_front, n))
    for number in numbers[:50]:
        found = _evaluation(study.folder / "trials" / str(number)).get(part)
        if isinstance(found, dict):
            yield found


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
