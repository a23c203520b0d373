"""Where the numbers of a report come from."""

import json
import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any, NamedTuple

import yaml

from archlab.report.evaluation import any_evaluation, latency_provenance
from archlab.report.labels import heading, measured_how
from archlab.report.table import StudyTable, is_known

_PACKAGES = ("archlab", "torch", "diffusers", "optuna", "litert-torch", "ai-edge-litert", "coremltools")


class Provenance(NamedTuple):
    """About quality and latency, the latency's recorded circumstances, versions, the resolved settings."""

    quality: str
    latency: str
    circumstances: str
    versions: dict[str, str]
    settings: str


def provenance(study: StudyTable) -> Provenance:
    """What a reader needs to judge or repeat the numbers."""
    measured = latency_provenance(study)
    return Provenance(
        quality=_quality(study),
        latency=_latency(study, measured),
        circumstances=_yaml(measured) if measured else "",
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
    scored = any_evaluation(study, "proxy")
    accuracy = scored.get("feature_accuracy")
    features = (
        f" {scored.get('fid_label', 'FID')} compares the features of a network that names "
        f"{accuracy:.1%} of the held-out images rightly."
        if isinstance(accuracy, float)
        else ""
    )
    return f"{', '.join(parts)}; {seeds_said}. {purpose}{features}"


def _latency(study: StudyTable, measured: Mapping[str, Any]) -> str:
    if "latency_ms" not in study.trials or not any(is_known(value) for value in study.trials["latency_ms"]):
        return "No latency was measured; costs are counted by formula."
    how = measured_how(study, measured)
    return f"Latency is the median of one UNet call of the target at full size ({how}), with random weights."


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
