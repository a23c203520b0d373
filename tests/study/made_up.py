"""Studies on disk whose trials were never run: real architectures with scores by formula."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from archlab.architecture import save
from archlab.cost import Cost, count
from archlab.evaluation import Baseline, Evaluation, ProxyResult, Record
from archlab.study import Study
from archlab.study.compatibility import open_folder
from archlab.study.definition import load_definition
from archlab.study.folder import StudyFolder
from archlab.study.sampler import as_params
from tests.made_up_facts import proxy_result
from tests.study.spaces import MINI, write_space

ENDS: dict[str, dict[str, Any]] = {
    "gated": {"gate": "macs_g", "reason": "macs_g 5 is over the limit of 4"},
    "stopped": {"reason": "stopped at 2 steps: rank 3"},
    "failed": {"reason": "loss became NaN at step 3"},
    "repeat": {"reason": "same architecture as trial 0"},
}


def write_study(root: Path, name: str = "mini", statuses: str = "", *, complete: int = 12, text: str = MINI) -> Study:
    """``complete`` trained trials, then one of each of the ``statuses``, named by words; quality falls with params.

    Different names give different trials.
    """
    root.mkdir(parents=True, exist_ok=True)
    definition = load_definition(write_space(root, text, name))
    folder = StudyFolder(root / name)
    folder.path.mkdir(parents=True)
    open_folder(folder, definition)
    cost = count(definition.space.baseline)
    folder.write_baseline(Baseline(knobs=definition.space.baseline_values, params_m=cost.params_m, macs_g=cost.macs_g))
    source = random.Random(name)
    for number, status in enumerate(["complete"] * complete + statuses.split()):
        values = definition.space.sample_values(source)
        spec = definition.space.spec(values)
        cost = count(spec)
        evaluation = Evaluation(
            status="complete", params_m=cost.params_m, macs_g=cost.macs_g, proxy=_proxy(spec.id, cost)
        )
        if status in ENDS:
            evaluation = replace(evaluation, status=status, **ENDS[status])  # type: ignore[arg-type]  # one of them
        if status in ("gated", "failed"):
            evaluation = replace(evaluation, proxy=None)
        if status == "stopped":
            evaluation = replace(evaluation, proxy=proxy_result(0.5, stopped_at=2, rungs={2: 0.5}))
        save(spec, folder.trial(number) / "architecture.yaml")
        if status == "complete":
            Image.new("RGB", (64, 32), "teal").save(folder.trial(number) / "samples.png")
        record = Record(
            trial=number,
            architecture=spec.id,
            knobs=definition.space.baseline_values | as_params(values),
            evaluation=evaluation,
            seconds=2.0,
            finished=f"2026-01-01T10:{number // 60 % 60:02d}:{number % 60:02d}+00:00",
        )
        record.save(folder.trial(number) / "evaluation.json")
    return Study(folder)


def _proxy(architecture: str, cost: Cost) -> ProxyResult:
    quality = 1 / cost.params_m + 0.1 * random.Random(architecture).random()
    return proxy_result(quality, rungs={2: 2 * quality, 3: quality})
