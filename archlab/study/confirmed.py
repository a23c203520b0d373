"""A study as it is after what was measured side by side: latencies, limits, and which trials keep them."""

from dataclasses import replace
from typing import TYPE_CHECKING

from archlab.evaluation import Baseline, Confirmation, Confirmed, Evaluation, Record
from archlab.evaluation.fact import from_plain, to_plain
from archlab.study.evaluate import gated_by
from archlab.study.folder import StudyFolder
from archlab.study.saved import SavedStudy
from archlab.study.settings import Share

if TYPE_CHECKING:
    import optuna

_ATTRIBUTE = "confirmation"  # of the Optuna study, by which drivers share it


def known_confirmation(folder: StudyFolder, study: "optuna.Study") -> Confirmation:
    """The latest that this driver or another has measured; the folder or the Optuna study may lack it."""
    own, shared = folder.confirmation(), study.user_attrs.get(_ATTRIBUTE)
    if shared is None:
        return own
    others = from_plain(Confirmation, shared, f"the confirmation of {study.study_name}")
    return max(own, others, key=lambda each: each.measured_at)


def share_confirmation(confirmation: Confirmation, study: "optuna.Study") -> None:
    """Give it to the other drivers."""
    if (plain := to_plain(confirmation)) != study.user_attrs.get(_ATTRIBUTE):
        study.set_user_attr(_ATTRIBUTE, plain)


def confirmed_baseline(baseline: Baseline, confirmation: Confirmation, settings: SavedStudy) -> Baseline:
    """The baseline with its latencies of the rounds, and the limits that are shares of them."""
    latency = confirmation.latencies(settings.baseline_spec.id, baseline.latency)
    shares = {
        column: limit.of_baseline * latency[where.name].median_ms
        for column, where in settings.latency_columns.items()
        if isinstance(limit := settings.limits.get(column), Share) and where.name in latency
    }
    return replace(baseline, latency=latency, limits=baseline.limits | shares)


def confirmed_record(
    record: Record, confirmation: Confirmation, limits: dict[str, float], settings: SavedStudy
) -> Record:
    """The trial with its latencies of the rounds; one that was trained and is over a limit by them is gated after all.

    Args:
        limits: every hard limit, by column.
    """
    latency = confirmation.latencies(record.architecture, record.evaluation.latency)
    if latency == record.evaluation.latency:
        return record
    evaluation = replace(record.evaluation, latency=latency)
    if evaluation.status == "complete":
        evaluation = _within_limits(evaluation, limits, settings)
    return replace(record, evaluation=evaluation)


def _within_limits(evaluation: Evaluation, limits: dict[str, float], settings: SavedStudy) -> Evaluation:
    for column, where in settings.latency_columns.items():
        found = evaluation.latency.get(where.name)
        if column in limits and isinstance(found, Confirmed) and not found.noisy:
            gated = gated_by(evaluation, {column: limits[column]}, where.name)
            if gated.gate:
                return replace(gated, reason=f"{gated.reason}, measured side by side in {found.rounds} rounds")
    return evaluation
