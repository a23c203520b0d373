"""How well cheap scores predict a reference score, and which is the cheapest that does."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from archlab.analysis.audit.agreement import LEAST, Agreement, Floats, kendall_tau, top_overlap
from archlab.analysis.audit.scores import RecordedScore, RecordedScores, read_scores
from archlab.analysis.table import StudyTable
from archlab.errors import BadInput, RunFailed, nearest, shown
from archlab.evaluation.measures import QUALITIES

TOP, BAR = 5, 0.7


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictor:
    """How well a score predicts the reference score.

    Attributes:
        tau: Kendall's τ-b of one seed's score with the reference score, the mean over its seeds.
        top: which share of the best architectures it finds.
        other_seeds: as ``tau``, with the reference score of the other seeds alone, so that no training is on both
            sides; NaN for one seed.
    """

    score: RecordedScore
    tau: Agreement
    top: Agreement
    other_seeds: Agreement


@dataclass(frozen=True, kw_only=True, eq=False)
class Audit:
    """An audited study.

    Attributes:
        study: its name.
        reference: the score that the others are to predict.
        predictors: one for each score, those that are known earliest first; the reference score is not among them.
        ceiling: τ of one seed's reference score with the other seeds': what noise leaves to be predicted; NaN for one
            seed.
        top: how many of the best architectures are looked for.
        bar: the least τ.
        architectures: one row each: ``trial``, its knobs, its costs and scores at initialisation, and by their
            names the scores of its training, means over seeds.
        baseline: the trial of the baseline; None where it is not among them.
        left_out: trials that did not come to the end.
    """

    study: str
    reference: RecordedScore
    predictors: list[Predictor]
    ceiling: Agreement
    top: int
    bar: float
    architectures: pd.DataFrame
    baseline: int | None
    left_out: int

    @property
    def seeds(self) -> int:
        """Trainings of every architecture."""
        return len(self.reference.values)

    @property
    def recommended(self) -> Predictor | None:
        """The cheapest score of a shorter training that keeps τ at the bar; of equally cheap ones the best."""
        return _cheapest(each for each in self._trained if each.tau.value >= self.bar)

    @property
    def sure(self) -> Predictor | None:
        """As `recommended`, for the lower end of τ's interval."""
        return _cheapest(each for each in self._trained if each.tau.low >= self.bar)

    @property
    def untrained(self) -> Predictor | None:
        """The best score without any training that keeps τ at the bar."""
        before = [each for each in self.predictors if not each.score.steps and each.tau.value >= self.bar]
        return max(before, key=lambda each: each.tau.value, default=None)

    @property
    def nearest(self) -> Predictor | None:
        """The score of a shorter training with the highest τ, whatever it costs."""
        return max(self._trained, key=lambda each: each.tau.value, default=None)

    @property
    def _trained(self) -> list[Predictor]:
        """Those that ``proxy.quality`` can name, of shorter trainings."""
        return [
            each
            for each in self.predictors
            if 0 < each.score.steps < self.reference.steps
            and each.score.metric in QUALITIES
            and not np.isnan(each.tau.value)
        ]


def audit(study: StudyTable, *, against: str | None = None, top: int = TOP, bar: float = BAR) -> Audit:
    """Compare every score that a study's complete trials have with the one after their whole training.

    Args:
        against: the metric of the reference score; None: the study's ``proxy.quality``.

    Raises:
        BadInput: that metric was not recorded, or there are no more than ``top`` architectures.
        RunFailed: fewer than `LEAST` architectures came to the end, or the reference score is the same for all of them.
    """
    scores = read_scores(study)
    reference = _reference(study, scores, against, top)
    predictors = [_predictor(score, reference, top) for score in scores.by_key.values() if score is not reference]
    return Audit(
        study=study.name,
        reference=reference,
        predictors=predictors,
        ceiling=_other_seeds(reference, reference),
        top=top,
        bar=bar,
        architectures=_architectures(scores),
        baseline=_baseline(study, scores),
        left_out=sum(record.is_distinct for record in study.records) - len(scores.records),
    )


def scores_table(audit: Audit) -> pd.DataFrame:
    """One row a score: what it costs, τ and the share of the best that it finds with both ends of their intervals, and
    τ with the reference score of other seeds."""
    return pd.DataFrame(
        [
            {
                "score": each.score.name,
                "metric": each.score.metric,
                "steps": each.score.steps,
                "train_seconds": each.score.seconds,
                **_cells("tau", each.tau),
                **_cells(f"top_{audit.top}", each.top),
                "tau_other_seeds": each.other_seeds.value,
            }
            for each in audit.predictors
        ]
    )


def _reference(study: StudyTable, scores: RecordedScores, against: str | None, top: int) -> RecordedScore:
    found = len(scores.records)
    if found < LEAST:
        reasons = [record.evaluation.reason for record in study.records if record.evaluation.status == "failed"]
        raise RunFailed(
            f"audit: {found} architectures of {study.name} were trained to the end; {LEAST} are the least that tell an "
            f"order from chance{f'; the last failure: {reasons[-1]}' if reasons else ''}"
        )
    steps = study.proxy.rungs[-1]
    metric = study.proxy.quality if against is None else against
    reference = scores.by_key.get((metric, steps))
    if reference is None:
        known = [name for name, at in scores.by_key if at == steps]
        raise BadInput(f"--against: no {shown(metric)} was recorded after {steps} steps{nearest(metric, known)}")
    if top >= found:
        raise BadInput(f"--top: must be less than the {found} architectures but is {top}")
    if np.ptp(reference.order) == 0:
        raise RunFailed(f"audit: every architecture has the same {reference.name}: there is no order to predict")
    return reference


def _predictor(score: RecordedScore, reference: RecordedScore, top: int) -> Predictor:
    return Predictor(
        score=score,
        tau=kendall_tau(score.values, reference.order),
        top=top_overlap(score.values, reference.order, top),
        other_seeds=_other_seeds(score, reference),
    )


def _other_seeds(score: RecordedScore, reference: RecordedScore) -> Agreement:
    """τ of each seed's score with the mean of the other seeds' reference scores."""
    seeds = len(reference.values)
    if seeds < 2:
        return Agreement(np.nan, np.nan, np.nan)
    others: Floats = (reference.values.sum(axis=0) - reference.values) / (seeds - 1)
    return kendall_tau(np.broadcast_to(score.values, others.shape), others)


def _architectures(scores: RecordedScores) -> pd.DataFrame:
    shown = {score.name: score.order if score.steps else -score.order for score in scores.by_key.values()}
    rows = [{"trial": record.trial, **record.knobs} for record in scores.records]
    return pd.DataFrame(rows).assign(**shown)


def _baseline(study: StudyTable, scores: RecordedScores) -> int | None:
    own = study.baseline_spec.id
    return next((record.trial for record in scores.records if record.architecture == own), None)


def _cheapest(predictors: Iterable[Predictor]) -> Predictor | None:
    return min(predictors, key=lambda each: (each.score.steps, -each.tau.value), default=None)


def _cells(name: str, agreement: Agreement) -> Mapping[str, float]:
    return {name: agreement.value, f"{name}_low": agreement.low, f"{name}_high": agreement.high}
