"""Trainings that never were: a quality that is looked up or computed, for benchmarks of the engine and the search."""

from collections.abc import Mapping

from archlab.evaluation import ProxyResult, SeedResult


def proxy_result(quality: float, rungs: Mapping[int, float], stopped_at: int | None = None) -> ProxyResult:
    """One seed's training to this validation loss, with the losses at its rungs."""
    seed = SeedResult(
        seed=0, val_loss=quality, fid=None, rungs=dict(rungs), scores={}, train_seconds=0.0, score_seconds=0.0
    )
    return ProxyResult(
        quality=quality,
        quality_label="val_loss",
        quality_error=None,
        quality_std=None,
        rungs=dict(rungs),
        scores={},
        val_loss=quality,
        fid=None,
        fid_label=None,
        by_seed=(seed,),
        stopped_at=stopped_at,
        steps=max(rungs, default=0),
        train_seconds=0.0,
        score_seconds=0.0,
        images_per_second=0.0,
        params_m=0.0,
        reader_accuracy=None,
        zero_cost={},
        architecture="",
        provenance={},
    )
