"""Where the numbers of a report come from."""

import json
import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any, NamedTuple

import pandas as pd
import yaml

from archlab.analysis.table import StudyTable, latency_columns
from archlab.evaluation.evaluation import rounds_column
from archlab.report.evaluation import latency_provenance, proxy_facts
from archlab.report.labels import heading, latency_how, noun
from archlab.report.table import estimated

_PACKAGES = ("archlab", "torch", "diffusers", "optuna", "litert-torch", "ai-edge-litert", "coremltools")


class LatencyProvenance(NamedTuple):
    """What the latencies of a column are, and the recorded circumstances of one of each kind."""

    sentence: str
    circumstances: str


class Provenance(NamedTuple):
    """About quality and each latency, versions, the resolved settings."""

    quality: str
    latencies: list[LatencyProvenance]
    versions: dict[str, str]
    settings: str


def provenance(study: StudyTable) -> Provenance:
    """What a reader needs to judge or repeat the numbers."""
    columns = [column for column in latency_columns(study) if column in study.trials]
    return Provenance(
        quality=_quality(study),
        latencies=[_latency(column, study) for column in columns if study.trials[column].notna().any()],
        versions={"python": platform.python_version(), **_versions()},
        settings=_yaml(study.resolved),
    )


def _quality(study: StudyTable) -> str:
    proxy = study.proxy
    parts = [
        f"Quality is {heading('quality', study)}, lower is better",
        f"scored on the architecture shrunk to a proxy, trained on {proxy.data} for {proxy.rungs[-1]} optimiser steps",
    ]
    seeds = f"the mean of {proxy.seeds} seeds" if proxy.seeds > 1 else "one seed, so small differences are noise"
    purpose = "It ranks architectures; it is not the quality of the finished model."
    scored = proxy_facts(study)
    accuracy = scored.reader_accuracy if scored else None
    classifier = (
        f" What drawn images show is read by a network that reads {accuracy:.1%} of what held-out images show rightly."
        if accuracy is not None
        else ""
    )
    return f"{', '.join(parts)}; {seeds}. {purpose}{classifier}"


def _latency(column: str, study: StudyTable) -> LatencyProvenance:
    sentence = (
        f"{noun(column, study)} is the median of one UNet call of the target at full size "
        f"({latency_how(column, study)}), with random weights."
    )
    if guessed := estimated(study, column):
        sentence += f" Of {int(study.trials[column].notna().sum())}, {len(guessed)} are estimates from a block table."
    rounds = study.trials.get(rounds_column(column) or "", pd.Series(dtype=float)).dropna()
    if len(rounds):
        sentence += (
            f" {len(rounds)} were measured side by side with the baseline in {rounds.min():.0f} to {rounds.max():.0f} "
            "rounds: the geometric mean of their ratios to the baseline's latency of the same round, times the "
            "baseline's median over the rounds, with Student's t interval at 95 % of the ratios' logarithms."
        )
    found = latency_provenance(study, latency_columns(study)[column])
    return LatencyProvenance(sentence, "---\n".join(_yaml(provenance) for provenance in found.values()))


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _yaml(values: Mapping[str, Any]) -> str:
    plain = json.loads(json.dumps(dict(values), default=str))
    dumped: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100)
    return dumped
