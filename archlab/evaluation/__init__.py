"""Typed facts about architectures, their one JSON codec, and the registry of measures. No torch."""

from archlab.evaluation.baseline import Baseline
from archlab.evaluation.confirmation import Confirmation, SideBySide, Timing
from archlab.evaluation.evaluation import Evaluation, Status
from archlab.evaluation.latency import (
    AnyLatency,
    Confirmed,
    Estimate,
    Latency,
    LatencyKind,
    NoMeasurement,
    Provenance,
    percentile,
)
from archlab.evaluation.measures import MEASURES, Column, Measure, find_column
from archlab.evaluation.proxy import MeanScore, ProxyResult, SeedResult
from archlab.evaluation.record import Record, pooled, table_columns
from archlab.evaluation.score import Score

__all__ = [
    "MEASURES",
    "AnyLatency",
    "Baseline",
    "Column",
    "Confirmation",
    "Confirmed",
    "Estimate",
    "Evaluation",
    "Latency",
    "LatencyKind",
    "MeanScore",
    "Measure",
    "NoMeasurement",
    "Provenance",
    "ProxyResult",
    "Record",
    "Score",
    "SeedResult",
    "SideBySide",
    "Status",
    "Timing",
    "find_column",
    "percentile",
    "pooled",
    "table_columns",
]
