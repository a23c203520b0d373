"""What single trials say: how they were measured and scored, and their samples. What cannot be read is absent."""

import base64
from collections.abc import Iterable, Iterator

from archlab.analysis.table import StudyTable
from archlab.evaluation import Evaluation, LatencyKind, Provenance, ProxyResult
from archlab.report.table import front_trials

_PNG = b"\x89PNG\r\n\x1a\n"


def latency_provenance(study: StudyTable, device: str) -> dict[LatencyKind, Provenance]:
    """How latencies on a device came about (runtime, threads, runs, …), one of each kind: measured, estimated,
    replayed; trials of the front first."""
    found: dict[LatencyKind, Provenance] = {}
    for evaluation in _evaluations(study):
        latency = evaluation.latency.get(device)
        if latency is not None:
            found.setdefault(latency.kind, latency.provenance)
    return found


def proxy_facts(study: StudyTable) -> ProxyResult | None:
    """How a trial was scored; None if none was."""
    return next((evaluation.proxy for evaluation in _evaluations(study) if evaluation.proxy), None)


def _evaluations(study: StudyTable) -> Iterator[Evaluation]:
    """Those of the front first."""
    on_front = front_trials(study)
    for record in sorted(study.records, key=lambda record: (record.trial not in on_front, record.trial)):
        yield record.evaluation


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
