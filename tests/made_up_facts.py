"""Facts that nobody measured, as whole as those that are read from disk."""

from typing import Any

from archlab.evaluation import Estimate, Evaluation, Latency, MeanScore, ProxyResult, Record, Score, SeedResult


def proxy_result(quality: float, label: str = "val_loss", **known: Any) -> ProxyResult:
    """A training that came to this quality; other fields by keyword, all of them empty."""
    empty: dict[str, Any] = {
        "quality_error": None,
        "quality_std": None,
        "rungs": {},
        "scores": {},
        "val_loss": quality if label == "val_loss" else None,
        "fid": None,
        "fid_label": None,
        "by_seed": (),
        "stopped_at": None,
        "steps": 3,
        "train_seconds": 1.0,
        "score_seconds": 0.5,
        "images_per_second": 48.0,
        "params_m": 0.1,
        "reader_accuracy": None,
        "zero_cost": {},
        "architecture": "0" * 12,
        "provenance": {},
    }
    return ProxyResult(quality=quality, quality_label=label, **(empty | known))


def seed_result(seed: int, rungs: dict[int, float] | None = None, **known: Any) -> SeedResult:
    """One seed's quality at each rung; other fields by keyword."""
    empty = {"val_loss": None, "fid": None, "scores": {}, "train_seconds": 1.0, "score_seconds": 0.5}
    return SeedResult(seed=seed, rungs=rungs or {}, **(empty | known))


def score(value: float, label: str = "", error: float = 0.0) -> Score:
    """A score without noise."""
    return Score(label, value, error)


def mean_score(value: float, label: str = "") -> MeanScore:
    """The same of several seeds."""
    return MeanScore(label=label, value=value, error=0.0)


def measured(milliseconds: float, **known: Any) -> Latency:
    """Two runs of this length; other fields by keyword, ``provenance`` beside its kind."""
    provenance = {"kind": "measured"} | known.pop("provenance", {})
    empty: dict[str, Any] = {
        "samples_ms": (milliseconds, milliseconds),
        "bursts": (2,),
        "left_out": 0,
        "noise": None,
        "load_ms": 5.0,
        "first_run_ms": None,
        "peak_memory_mb": None,
        "model_mb": 1.0,
        "partitions": None,
        "accelerated_share": None,
        "parity_max_abs": None,
    }
    return Latency(provenance=provenance, **(empty | known))


def estimated(milliseconds: float, **known: Any) -> Estimate:
    """An estimate that is known to 5 %; other fields by keyword, ``provenance`` beside its kind."""
    provenance = {"kind": "estimated"} | known.pop("provenance", {})
    band = {"low_ms": 0.95 * milliseconds, "high_ms": 1.05 * milliseconds}
    return Estimate(median_ms=milliseconds, provenance=provenance, **(band | known))


def trained(
    quality: float, rungs: dict[int, float] | None = None, further: dict[str, float] | None = None
) -> ProxyResult:
    """A training with one seed that was scored at every rung.

    Args:
        rungs: the quality at each; by default one of 3 steps.
        further: scores beside ``val_loss``, by column.
    """
    by_rung = {3: quality} if rungs is None else rungs
    named = {"val_loss": quality} | (further or {})
    scores = {name: score(value, name) for name, value in named.items()}
    run = seed_result(0, by_rung, scores=dict.fromkeys(by_rung, scores))
    return proxy_result(
        quality,
        rungs=by_rung,
        scores={name: mean_score(value, name) for name, value in named.items()},
        by_seed=(run,),
        fid=named.get("fid"),
        fid_label="fid" if "fid" in named else None,
        steps=max(by_rung),
    )


def record(evaluation: Evaluation, trial: int = 0, **known: Any) -> Record:
    """A finished trial with this evaluation; other fields by keyword."""
    empty: dict[str, Any] = {
        "architecture": f"{trial:012x}",
        "knobs": {"conv": "standard"},
        "seconds": 2.0,
        "finished": "2026-01-01T10:00:00+00:00",
    }
    return Record(trial=trial, evaluation=evaluation, **(empty | known))
