"""A small finished study on disk, with every kind of fact in it."""

import random
from pathlib import Path

from PIL import Image

from archlab.architecture import save
from archlab.cost import count
from archlab.evaluation import Baseline, Confirmation, Evaluation, Record, SideBySide, Timing
from archlab.study.compatibility import open_folder
from archlab.study.definition import load_definition
from archlab.study.folder import StudyFolder
from archlab.study.limits import hard_limits
from archlab.study.sampler import as_params
from tests.made_up_facts import estimated, measured, trained

SPACE = """
baseline: {baseline}
knobs:
  transformers: [sd, middle]
  conv: [standard, separable]
  ff_ratio: {{low: 4, high: 8, step: 2}}
  kv_sharing: {{choices: [none, self], when: {{conv: standard}}}}
require: ["ff_ratio < 9"]
measure: [{{device: "replay:recorded.jsonl", name: here}}, {{device: "replay:recorded.jsonl", name: phone}}]
constraints: {{params_m: {{max: 300%}}, latency_ms: {{max: 300%, device: phone}}}}
objectives: [quality, latency_ms]
proxy: {{data: digits, scale: {{width: 0.25, sample_size: 8}}, rungs: [2, 3], batch_size: 4, samples: 8}}
search: {{trials: {trials}, seed: 3, noise: 0.1, confirm: false}}
"""
TRIALS = 4


def write_space(folder: Path, trials: int = TRIALS) -> Path:
    """The YAML of the study, beside what it names."""
    (folder / "recorded.jsonl").write_text("", encoding="utf-8")
    path = folder / "mini.yaml"
    path.write_text(SPACE.format(baseline="tiny", trials=trials), encoding="utf-8")
    return path


def write_study(space: Path, studies: Path, name: str, seed: int) -> Path:
    """A study that has all its trials."""
    definition = load_definition(space)
    folder = StudyFolder(studies / name)
    folder.path.mkdir(parents=True)
    open_folder(folder, definition)
    baseline = count(definition.space.baseline)
    known = {"here": measured(5.0), "phone": measured(9.0)}
    folder.write_baseline(
        Baseline(
            knobs=definition.space.baseline_values,
            params_m=baseline.params_m,
            macs_g=baseline.macs_g,
            latency=known,
            limits=hard_limits(definition, known),
            noise={2: 0.1},
        )
    )
    source, seen = random.Random(seed), set()
    own = definition.space.baseline.id
    side = SideBySide(baseline=own)
    while len(seen) < TRIALS:
        values = definition.space.sample_values(source)
        spec = definition.space.spec(values)
        if spec.id in seen:
            continue
        number = len(seen)
        seen.add(spec.id)
        cost = count(spec)
        for drift in (1.0, 1.01, 1.03):
            round_ = {own: Timing(5.0 * drift), spec.id: Timing(drift * (cost.macs_g + 1))}
            side = side.with_round(round_, {"kind": "measured", "device": "tflite"})
        quality = 1 / cost.params_m
        evaluation = Evaluation(
            status="complete",
            params_m=cost.params_m,
            macs_g=cost.macs_g,
            latency={
                "here": measured(cost.macs_g + 1),
                "phone": estimated(2.0),
            },
            proxy=trained(quality, {2: 2 * quality, 3: quality}, {"fid": 3.0, "fid_8_steps": 4.0}),
        )
        save(spec, folder.trial(number) / "architecture.yaml")
        Image.new("RGB", (16, 8), "teal").save(folder.trial(number) / "samples.png")
        (folder.trial(number) / "curve.csv").write_text(
            "seed,step,loss,seconds\n0,1,0.5,0.1\n0,2,0.4,0.2\n0,3,0.3,0.3\n"
        )
        Record(
            trial=number,
            architecture=spec.id,
            knobs=definition.space.baseline_values | as_params(values),
            evaluation=evaluation,
            seconds=2.0,
            finished=f"2026-01-01T10:00:{number:02d}+00:00",
        ).save(folder.trial(number) / "evaluation.json")
    folder.write_confirmation(Confirmation(devices={"here": side}, measured_at="2026-01-01T10:10:00+00:00"))
    return folder.path
