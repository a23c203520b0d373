"""Spaces of five free knobs, and studies of them whose quality is a formula with known effects."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from archlab.cost import count
from archlab.evaluation import Baseline, Evaluation, Record
from archlab.space import label
from archlab.space.plans import full_change
from archlab.study import Study, load_study
from archlab.study.compatibility import open_folder
from archlab.study.definition import StudyDefinition, load_definition
from archlab.study.folder import study_folder
from tests.made_up_facts import proxy_result, seed_result

KNOBS: dict[str, list[Any]] = {
    "kv_sharing": ["none", "self"],
    "attention_normalizer": ["softmax", "relu"],
    "ff_ratio": [8, 4],
    "ff_activation": ["gelu", "swish"],
    "conv": ["standard", "separable"],
}


def write_space(
    folder: Path, strategy: str, search: Mapping[str, Any] | None = None, **sections: Any
) -> StudyDefinition:
    """A space with this strategy; more of ``search``, and other sections by keyword."""
    data = {
        "baseline": "tiny",
        "knobs": KNOBS,
        "measure": [],
        "objectives": ["quality", "macs_g"],
        "proxy": {"data": "digits", "rungs": [3]},
        "search": {"strategy": strategy, **(search or {})},
        **sections,
    }
    if strategy == "ladder":
        data["ladder"] = [{"step": name, "values": {name: values[1]}} for name, values in KNOBS.items()]
    path = folder / "space.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return load_definition(path)


def made_up_study(
    folder: Path,
    definition: StudyDefinition,
    quality: Callable[[set[str], int], float],
    seeds: int = 1,
    trials: list[dict[str, Any]] | None = None,
    gated: tuple[int, ...] = (),
    baseline: float | None = None,
) -> Study:
    """The study of a space: each arm, or each of ``trials``, scored by ``quality(changed knobs, seed)``.

    ``baseline``: its own quality, where it was judged apart from the trials.
    """
    files = study_folder("made-up", folder)
    open_folder(files, definition)
    cost = count(definition.space.baseline)
    files.write_baseline(
        Baseline(
            knobs=definition.space.baseline_values,
            params_m=cost.params_m,
            macs_g=cost.macs_g,
            proxy=None if baseline is None else proxy_result(baseline),
        )
    )
    for number, values in enumerate([arm.values for arm in definition.plan().arms] if trials is None else trials):
        spec = definition.space.spec(values)
        scores = [quality(changed(definition, values), seed) for seed in range(seeds)]
        last = definition.settings.proxy.rungs[-1]
        by_seed = tuple(seed_result(seed, {1: 9.0, last: score}) for seed, score in enumerate(scores))
        proxy = proxy_result(sum(scores) / seeds, by_seed=by_seed)
        cost = count(spec)
        evaluation = Evaluation(status="complete", params_m=cost.params_m, macs_g=cost.macs_g, proxy=proxy)
        if number in gated:
            reason = "macs_g 9 is over the limit of 8"
            evaluation = replace(evaluation, status="gated", gate="macs_g", reason=reason, proxy=None)
        knobs = definition.space.baseline_values | {name: label(value) for name, value in values.items()}
        record = Record(
            trial=number, architecture=spec.id, knobs=knobs, evaluation=evaluation, seconds=1.0, finished="now"
        )
        record.save(files.trial(number) / "evaluation.json")
    return load_study("made-up", folder)


def changed(definition: StudyDefinition, values: Mapping[str, Any]) -> set[str]:
    """Knobs that have the change's value."""
    return {
        name
        for name, value in full_change(definition.space, definition.design.change).items()
        if values.get(name) == value
    }
