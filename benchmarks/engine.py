"""What the engine costs a trial: 10,000 trials of nsga2 whose evaluation returns at once. Prints one JSON line.

``ours`` is the median of the last thousand trials, told to told: proposals screened, costs gated, records and journal
written. What Optuna's sampler thinks is not in it but stated apart (``sampler_ms``). ``theirs`` is Optuna alone on a
journal of its own, same knobs and sampler: it asks, suggests and tells, and screens, gates and records nothing.
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from itertools import pairwise
from pathlib import Path
from typing import Any

import optuna
import psutil
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from proxy_results import proxy_result

from archlab.cost import count
from archlab.evaluation import Evaluation, Record
from archlab.report import write_report
from archlab.space import label
from archlab.study import Study, Watcher, run_study
from archlab.study.callbacks import Callbacks
from archlab.study.definition import StudyDefinition, load_definition
from archlab.study.evaluate import Job
from archlab.study.executors.inline import Inline

TRIALS, LAST = 10_000, 1_000
SPACE = f"""
baseline: tiny
knobs:
  width: [0.5, 0.625, 0.75, 0.875, 1]
  transformers: [sd, no_stage0, low_res, middle, none]
  self_attention: [all, inner, middle, none]
  cross_attention: [all, inner, middle, none]
  kv_sharing: [none, self, all]
  ff_activation: [gelu, swish, relu]
  attention_normalizer: [softmax, relu]
  ff_ratio: {{low: 2, high: 8, step: 1}}
  conv: [standard, separable]
  res_blocks: [1/2, 1/1]
measure: []
constraints: {{macs_g: {{max: "90%"}}}}
objectives: [quality, macs_g]
proxy: {{data: digits, scale: {{sample_size: 8}}}}
search: {{strategy: nsga2, trials: {TRIALS}}}
"""
SAMPLER_METHODS = (
    "infer_relative_search_space",
    "sample_relative",
    "sample_independent",
    "before_trial",
    "after_trial",
)


class Clock:
    """Seconds spent in the functions that it watches; a call within another counts once."""

    def __init__(self) -> None:
        self.seconds, self.is_running = 0.0, False

    def watch(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its time taken."""

        @wraps(function)
        def watched(*arguments: Any, **named: Any) -> Any:
            if self.is_running:
                return function(*arguments, **named)
            self.is_running, started = True, time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                self.is_running = False
                self.seconds += time.perf_counter() - started

        return watched


@contextmanager
def watched(clock: Clock, owner: Any, *names: str) -> Iterator[None]:
    """Have ``clock`` take the time of these functions."""
    before = {name: getattr(owner, name) for name in names}
    for name, function in before.items():
        setattr(owner, name, clock.watch(function))
    try:
        yield
    finally:
        for name, function in before.items():
            setattr(owner, name, function)


class Laps(Watcher):
    """When each trial was told, and what sampler and disk had taken by then; a watcher."""

    def __init__(self, sampler: Clock, disk: Clock) -> None:
        self.sampler, self.disk = sampler, disk
        self.marks: list[tuple[float, float, float]] = []
        self.memory_mb: dict[int, float] = {}

    def trial_finished(self, record: Record) -> None:
        """Mark the lap."""
        self.mark()

    def mark(self) -> None:
        """One more trial is told."""
        self.marks.append((time.perf_counter(), self.sampler.seconds, self.disk.seconds))
        if len(self.marks) in (LAST, TRIALS):
            self.memory_mb[len(self.marks)] = psutil.Process().memory_info().rss / 2**20

    def medians_ms(self, last: int = LAST) -> tuple[float, float, float]:
        """Per trial, of the last ones: the engine's own time, the sampler's, the disk's share of the first."""
        marks = self.marks[-last - 1 :]
        laps = [[after - before for before, after in zip(*pair, strict=True)] for pair in pairwise(marks)]
        own, sampler, disk = zip(*((whole - sampler, sampler, disk) for whole, sampler, disk in laps), strict=True)
        return tuple(1e3 * statistics.median(times) for times in (own, sampler, disk))


def at_once(job: Job, callbacks: Callbacks) -> Evaluation:
    """Costs as ever; a quality that wants width and little else."""
    cost = count(job.spec)
    quality = 1 / (1 + cost.params_m) + (int(job.spec.id[:6], 16) % 1000) / 1e4
    proxy = proxy_result(quality, {})
    return Evaluation(status="complete", params_m=cost.params_m, macs_g=cost.macs_g, proxy=proxy)


def ours(definition: StudyDefinition, root: Path) -> tuple[Laps, Study]:
    """The study, run by archlab."""
    laps = Laps(Clock(), Clock())
    with watched(laps.sampler, optuna.samplers.NSGAIISampler, *SAMPLER_METHODS), watched(laps.disk, os, "fsync"):
        study = run_study(definition, "ours", root=root, executor=Inline(at_once), watchers=(laps,))
    return laps, study


def theirs(definition: StudyDefinition, root: Path, trials: int) -> Laps:
    """As many trials of the same knobs by Optuna alone."""
    sampler = optuna.samplers.NSGAIISampler(seed=0)
    storage = JournalStorage(JournalFileBackend(str(root / "theirs.log")))
    study = optuna.create_study(storage=storage, sampler=sampler, directions=["minimize", "minimize"])
    choices = {name: [label(value) for value in domain.values] for name, domain in definition.space.knobs.items()}
    laps = Laps(Clock(), Clock())
    with watched(laps.sampler, optuna.samplers.NSGAIISampler, *SAMPLER_METHODS), watched(laps.disk, os, "fsync"):
        for number in range(trials):
            trial = study.ask()
            drawn = [choices[name].index(trial.suggest_categorical(name, choices[name])) for name in choices]
            study.tell(trial, [sum(drawn) / 10, -drawn[0] + number % 7])
            laps.mark()
    return laps


def main() -> None:
    """Run both, write the report, print the line."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "engine.yaml").write_text(SPACE, encoding="utf-8")
        definition = load_definition(root / "engine.yaml")
        laps, study = ours(definition, root)
        started = time.perf_counter()
        write_report(study, root / "report", {})
        report_seconds = time.perf_counter() - started
        own_ms, sampler_ms, disk_ms = laps.medians_ms()
        bare_ms, *_ = theirs(definition, root, len(laps.marks)).medians_ms()
        print(
            json.dumps(
                {
                    "benchmark": f"engine's own time per trial after {len(laps.marks)} trials of nsga2",
                    "ours": round(own_ms, 2),
                    "theirs": round(bare_ms, 2),
                    "unit": "ms (median of the last 1,000)",
                    "ratio": round(bare_ms / own_ms, 2),
                    "sampler_ms": round(sampler_ms, 2),
                    "fsync_ms": round(disk_ms, 2),
                    "memory_mb": {trials: round(mb) for trials, mb in laps.memory_mb.items()},
                    "report_seconds": round(report_seconds, 1),
                }
            )
        )


if __name__ == "__main__":
    main()
