"""What the engine costs a trial: thousands of trials whose evaluation returns at once. Prints one JSON line.

``ours`` is the processor time of a trial, told to told, as median of the last thousand: proposals screened, costs
gated, records and journal written. What Optuna's sampler thinks is not in it but stated apart (``sampler_ms``),
and so is what the disk was waited for (``fsync_ms``).
``theirs`` is Optuna alone on a journal of its own, same knobs and sampler: it asks, suggests and tells, and screens,
gates and records nothing.

With ``--strategy surrogate`` it is the median from one choice to the next: trials paused and gone on with. What to
train is drawn at random, as the surrogate would take hours, and stated apart (``proposals.py`` times the surrogate).
"""

import argparse
import json
import os
import random
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Container, Iterator, Sequence
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
from archlab.study.surrogate import Begun, Choice, SurrogateSearch

CLOCK = time.process_time  # others at work on the same processor do not count
LAST = 1_000
TOLD_AT = (100, 1_000, 10_000)
SPACE = """
baseline: tiny
knobs:
  width: [0.5, 0.625, 0.75, 0.875, 1]
  transformers: [sd, no_stage0, low_res, middle, none]
  self_attention: [all, inner, middle, none]
  cross_attention: [all, inner, middle, none]
  kv_sharing: [none, self, all]
  ff_activation: [gelu, swish, relu]
  attention_normalizer: [softmax, relu]
  ff_ratio: {low: 2, high: 8, step: 1}
  conv: [standard, separable]
  res_blocks: [1/2, 1/1]
measure: []
constraints: {macs_g: {max: "90%"}}
objectives: [quality, macs_g]
proxy: {data: digits, scale: {sample_size: 8}, rungs: [RUNGS]}
search: {strategy: STRATEGY, trials: TRIALS}
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

    def __init__(self, now: Callable[[], float] = CLOCK) -> None:
        self.now, self.seconds, self.is_running = now, 0.0, False

    def watch(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its time taken."""

        @wraps(function)
        def watched(*arguments: Any, **named: Any) -> Any:
            if self.is_running:
                return function(*arguments, **named)
            self.is_running, started = True, self.now()
            try:
                return function(*arguments, **named)
            finally:
                self.is_running = False
                self.seconds += self.now() - started

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

    step = "trial"

    def __init__(self, sampler: Clock, disk: Clock) -> None:
        self.sampler, self.disk = sampler, disk
        self.marks: list[tuple[float, float, float]] = []
        self.memory_mb: dict[int, float] = {}

    def trial_finished(self, record: Record) -> None:
        """Mark the lap."""
        self.mark()

    def mark(self) -> None:
        """One more trial is told."""
        self.marks.append((CLOCK(), self.sampler.seconds, self.disk.seconds))
        if len(self.marks) in TOLD_AT:
            self.memory_mb[len(self.marks)] = round(psutil.Process().memory_info().rss / 2**20)

    def medians_ms(self, until: int | None = None) -> tuple[float, float, float]:
        """Per trial, of the last ones: the engine's own time, the sampler's, and what the disk was waited for."""
        marks = self.marks[:until]
        marks = marks[-min(LAST, max(2, len(marks) // 2)) - 1 :]
        laps = [[after - before for before, after in zip(*pair, strict=True)] for pair in pairwise(marks)]
        own, sampler, disk = zip(*((whole - sampler, sampler, disk) for whole, sampler, disk in laps), strict=True)
        return tuple(1e3 * statistics.median(times) for times in (own, sampler, disk))


class Choices(Laps):
    """When each training was chosen."""

    step = "choice"

    def trial_finished(self, record: Record) -> None:
        """Nothing: what is paused to the last ends all at once."""

    def trial_started(self, number: int | None, knobs: dict[str, Any]) -> None:
        """Mark the lap."""
        self.mark()

    def trial_resumed(self, number: int, until: int) -> None:
        """Mark the lap."""
        self.mark()


def at_once(job: Job, callbacks: Callbacks) -> Evaluation:
    """Costs as ever; a quality that wants width and little else."""
    cost = count(job.spec)
    quality = 1 / (1 + cost.params_m) + (int(job.spec.id[:6], 16) % 1000) / 1e4
    rungs = {rung: quality * (1 + 1 / rung) for rung in job.settings.proxy.rungs if rung <= (job.until or rung)}
    is_end = job.until in (None, job.settings.proxy.rungs[-1])
    proxy = proxy_result(quality, rungs, stopped_at=None if is_end else job.until)
    status = "complete" if is_end else "stopped"
    return Evaluation(status=status, params_m=cost.params_m, macs_g=cost.macs_g, proxy=proxy)


def drawn(
    search: SurrogateSearch,
    begun: Sequence[Begun],
    known: Container[str],
    *,
    may_begin: bool,
    steps_an_hour: float | None = None,
) -> Choice | None:
    """In a surrogate's place: an architecture to begin, or as likely a paused trial to go on with."""
    source = random.Random(len(begun) + sum(len(one.qualities) for one in begun[-LAST:]))
    if not may_begin:
        return None
    paused = [one for one in begun[-LAST:] if one.is_resumable]
    if paused and source.random() < 0.5:
        chosen = source.choice(paused)
        return Choice(trial=chosen.trial, values=chosen.values, until=search.rungs[len(chosen.qualities)])
    values = search.candidates.space.sample_values(source)
    while search.candidates.describe(values).id in known:
        values = search.candidates.space.sample_values(source)
    return Choice(trial=None, values=values, until=search.rungs[0])


def ours(definition: StudyDefinition, root: Path) -> tuple[Laps, Study]:
    """The study, run by archlab."""
    is_surrogate = definition.settings.strategy == "surrogate"
    laps = (Choices if is_surrogate else Laps)(Clock(), Clock(time.perf_counter))
    chooser = (SurrogateSearch, "choose") if is_surrogate else (optuna.samplers.NSGAIISampler, *SAMPLER_METHODS)
    SurrogateSearch.choose = drawn
    with watched(laps.sampler, *chooser), watched(laps.disk, os, "fsync"):
        study = run_study(definition, "ours", root=root, executor=Inline(at_once), watchers=(laps,))
    return laps, study


def theirs(definition: StudyDefinition, root: Path, trials: int) -> Laps:
    """As many trials of the same knobs by Optuna alone."""
    sampler = optuna.samplers.NSGAIISampler(seed=0)
    storage = JournalStorage(JournalFileBackend(str(root / "theirs.log")))
    study = optuna.create_study(storage=storage, sampler=sampler, directions=["minimize", "minimize"])
    choices = {name: [label(value) for value in domain.values] for name, domain in definition.space.knobs.items()}
    laps = Laps(Clock(), Clock(time.perf_counter))
    with watched(laps.sampler, optuna.samplers.NSGAIISampler, *SAMPLER_METHODS), watched(laps.disk, os, "fsync"):
        for number in range(trials):
            trial = study.ask()
            drawn = [choices[name].index(trial.suggest_categorical(name, choices[name])) for name in choices]
            study.tell(trial, [sum(drawn) / 10, -drawn[0] + number % 7])
            laps.mark()
    return laps


def main() -> None:
    """Run both, write the report, print the line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategy", choices=("nsga2", "surrogate"), default="nsga2")
    parser.add_argument("--trials", type=int, default=10_000)
    asked = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        rungs = "30, 90, 270" if asked.strategy == "surrogate" else "270"
        replaced = {"STRATEGY": asked.strategy, "TRIALS": str(asked.trials), "RUNGS": rungs}
        space = re.sub("|".join(replaced), lambda found: replaced[found[0]], SPACE)
        (root / "engine.yaml").write_text(space, encoding="utf-8")
        definition = load_definition(root / "engine.yaml")
        laps, study = ours(definition, root)
        started = CLOCK()
        write_report(study, root / "report", {})
        report_seconds = CLOCK() - started
        own_ms, sampler_ms, disk_ms = laps.medians_ms()
        line = {
            "benchmark": f"engine's own time per {laps.step} after {len(laps.marks)} of {asked.strategy}",
            "ours": round(own_ms, 2),
            "unit": f"ms (median of the last {LAST:,})",
            "by_number": {n: round(laps.medians_ms(n)[0], 2) for n in TOLD_AT if n <= len(laps.marks)},
            "sampler_ms": round(sampler_ms, 2),
            "fsync_ms": round(disk_ms, 2),
            "memory_mb": laps.memory_mb,
            "report_seconds": round(report_seconds, 1),
        }
        if asked.strategy == "nsga2":
            bare_ms, *_ = theirs(definition, root, len(laps.marks)).medians_ms()
            line |= {"theirs": round(bare_ms, 2), "ratio": round(bare_ms / own_ms, 2)}
        print(json.dumps(line))


if __name__ == "__main__":
    main()
