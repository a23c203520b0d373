"""What the training of a proxy came to."""

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import ConfigDict

from archlab.evaluation.fact import STRICT, Whole
from archlab.evaluation.score import Score

ScoresByName = dict[str, Score]


@dataclass(frozen=True, kw_only=True)
class SeedResult:
    """One training run's scores; what was not measured is None.

    Attributes:
        val_loss, fid: at its last rung, if they were measured there.
        rungs: the quality at each rung, by optimiser steps.
        scores: everything that was measured, by rung and column.
        train_seconds: in training steps alone, without scoring.
        score_seconds: of scoring at all rungs, with what is drawn for it.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    seed: Whole
    val_loss: float | None
    fid: float | None
    rungs: dict[Whole, float]
    scores: dict[Whole, ScoresByName]
    train_seconds: float
    score_seconds: float


@dataclass(frozen=True, kw_only=True)
class MeanScore:
    """A score of several seeds: label, and the means of values and errors."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    label: str
    value: float | None
    error: float | None


@dataclass(frozen=True, kw_only=True)
class ProxyResult:
    """Quality of one architecture, judged by its proxy. Lower is better for ``quality`` and ``rungs``.

    Attributes:
        quality, quality_label: the metric that the settings chose, and what it is.
        quality_error: its bootstrap standard error, the mean over the seeds.
        quality_std: its sample standard deviation over the seeds; None for one seed.
        rungs: the quality at each rung, by optimiser steps, means over the seeds.
        scores: everything that was measured at the end, or where it was stopped, by column, means over the seeds.
        val_loss, fid, fid_label: likewise; None where it was not measured.
        by_seed: every seed's own values.
        stopped_at: the rung at which it was judged not worth going on; None for one that reached the last.
        steps: optimiser steps of one training run.
        train_seconds: of all seeds together, in training steps alone.
        score_seconds: likewise, of scoring at all rungs, with what is drawn for it.
        images_per_second: images trained on.
        params_m: of the proxy, in millions.
        reader_accuracy: on images that it has not seen, of the data set's attribute classifier; None where no score
            needs one.
        zero_cost: scores at initialisation, more is better; nothing where the settings do not ask for them.
        architecture: content hash of the proxy's spec.
        provenance: torch version, device, threads, micro-batch, data id, first seed, settings; under ``cached`` the
            seeds that an earlier evaluation trained; under ``inherited`` what the first seed took from the baseline,
            under ``baseline`` the content hash of the baseline's proxy; None where no baseline was needed.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    quality: float
    quality_label: str
    quality_error: float | None
    quality_std: float | None
    rungs: dict[Whole, float]
    scores: dict[str, MeanScore]
    val_loss: float | None
    fid: float | None
    fid_label: str | None
    by_seed: tuple[SeedResult, ...]
    stopped_at: Whole | None
    steps: Whole
    train_seconds: float
    score_seconds: float
    images_per_second: float
    params_m: float
    reader_accuracy: float | None
    zero_cost: dict[str, float | None]
    architecture: str
    provenance: dict[str, Any]
