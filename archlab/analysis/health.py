"""What a reader has to know before believing a study's front."""

from collections.abc import Iterator

import pandas as pd

from archlab.analysis.noise import listed, noisy_trials
from archlab.analysis.table import StudyTable, latency_columns
from archlab.evaluation import Confirmed, Latency
from archlab.evaluation.evaluation import noisy_column, rounds_column
from archlab.evaluation.measures import breaks


def health(study: StudyTable) -> list[str]:
    """One sentence or two for each thing that is wrong with the latencies that decide; nothing where all is well."""
    columns = latency_columns(study)
    deciding = {column: device for column, device in columns.items() if column in {*study.objectives, *study.limits}}
    return [line for column, device in deciding.items() for line in _of_device(study, column, device)]


def _of_device(study: StudyTable, column: str, device: str) -> Iterator[str]:
    again = f"Close other programs or wait until it is idle, then run `archlab study {study.name}` again"
    if noisy := sorted(noisy_trials(study.front, column)):
        yield (
            f"The front cannot be told: the latency of {listed(noisy)} on {device} is noisy"
            f"{_because(study, noisy, device)}. {again}: it measures them anew."
        )
    if study.baseline.get(noisy_column(column) or "") is True:
        limit = (
            f" and the limit of {study.limits[column]:.4g} ms, if it is a share of it,"
            if column in study.limits
            else ""
        )
        yield (
            f"The baseline's latency on {device} is noisy: what is compared with it{limit} stands on a number that "
            f"may be far off. {again}."
        )
    yield from _unconfirmed(study, column, device)
    yield from _gated_before(study, column)


def _unconfirmed(study: StudyTable, column: str, device: str) -> Iterator[str]:
    """Why latencies of the front were measured once only."""
    rounds, front = rounds_column(column), study.front
    once = [int(number) for number in front["trial"][front[rounds].isna()]] if rounds in front else []
    if not once:
        return
    known = study.confirmation.devices.get(device)
    failed = {} if known is None else known.failed
    why = None if known is None else known.not_measured
    if why is None:
        why = next((failed[own] for own in front["architecture"] if own in failed), None)
    if why is None:
        why = "a study does that before it ends, unless search.confirm is false"
    yield (
        f"The latency of {listed(once)} on {device} was measured once, not side by side with the baseline's: {why}. "
        "Small differences may be none."
    )


def _gated_before(study: StudyTable, column: str) -> Iterator[str]:
    """Trials that were gated by a limit that is another now."""
    if column not in study.limits:
        return
    gated = study.trials[(study.trials["gate"] == column) & study.trials["quality"].isna()]
    limit = study.limits[column]
    kept = [
        int(t) for t, value in zip(gated["trial"], gated[column], strict=True) if not _is_over(column, value, limit)
    ]
    if kept:
        yield (
            f"The limit on {column} is {limit:.4g} ms since the baseline was measured side by side; "
            f"{listed(kept)}, gated before that and not trained, would keep it."
        )


def _is_over(column: str, value: float, limit: float) -> bool:
    return bool(pd.isna(value)) or breaks(column, value, limit)


def _because(study: StudyTable, trials: list[int], device: str) -> str:
    for record in study.records:
        found = record.evaluation.latency.get(device)
        if record.trial in trials and isinstance(found, (Latency, Confirmed)) and found.noise:
            return f" ({found.noise})"
    return ""
