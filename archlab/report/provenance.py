"""Where the numbers of a report come from."""

import json
import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any, NamedTuple

import yaml

from archlab.report.evaluation import latency_provenance, proxy_facts
from archlab.report.labels import heading, latency_how, noun
from archlab.report.table import StudyTable, estimated, latency_columns

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
        settings=_yaml(study.settings),
    )


def _quality(study: StudyTable) -> str:
    proxy = study.settings.get("proxy") or {}
    parts = [f"Quality is {heading('quality', study)}, lower is better"]
    if proxy:
        steps = (proxy.get("rungs") or ["?"])[-1]
        parts.append(
            f"scored on the architecture shrunk to a proxy, trained on {proxy.get('data', 'unnamed data')} "
            f"for {steps} optimiser steps"
        )
    seeds = proxy.get("seeds", 1)
    seeds_said = f"the mean of {seeds} seeds" if seeds > 1 else "one seed, so small differences are noise"
    purpose = "It ranks architectures; it is not the quality of the finished model."
    scored = proxy_facts(study)
    accuracy = scored.get("reader_accuracy")
    judge = (
        f" What drawn images show is read by a network that reads {accuracy:.1%} of what held-out images show rightly."
        if isinstance(accuracy, float)
        else ""
    )
    return f"{', '.join(parts)}; {seeds_said}. {purpose}{judge}"


def _latency(column: str, study: StudyTable) -> LatencyProvenance:
    sentence = (
        f"{noun(column, study)} is the median of one UNet call of the target at full size "
        f"({latency_how(column, study)}), with random weights."
    )
    if guessed := estimated(study, column):
        sentence += f" Of {int(study.trials[column].notna().sum())}, {len(guessed)} are estimates from a block table."
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
