"""Trials an hour with two workers against one, on a small study that trains on digits. Prints one JSON line.

Each worker has one thread; ``one_worker_all_cores`` is one that has as many as there are cores. Time is counted from
the first trial's start: what all do once is left out.
"""

import json
import os
import shutil
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from archlab.evaluation import Record
from archlab.proxy.evaluate import make_ready
from archlab.study import Watcher, run_study
from archlab.study.definition import StudyDefinition, load_definition
from archlab.study.executors.processes import Processes

TRIALS = 16
SPACE = """
baseline: tiny
knobs:
  transformers: [sd, no_stage0, low_res, middle]
  self_attention: [all, inner]
  ff_ratio: {low: 4, high: 8, step: 2}
  conv: [standard, separable]
  res_blocks: [1/2, 1/1]
measure: []
objectives: [quality, macs_g]
proxy: {data: digits, scale: {width: 0.25, sample_size: 8}, rungs: [120], batch_size: 32, samples: 64, threads: THREADS}
search: {strategy: random, trials: TRIALS, noise: 0.003}
"""


class Stopwatch(Watcher):
    """Seconds from the first trial's start to the last one's end; a watcher."""

    def __init__(self) -> None:
        self.trials, self.started, self.ended = 0, 0.0, 0.0

    def trial_started(self, number: int | None, knobs: dict[str, Any]) -> None:
        """The clock runs from the first trial on."""
        if number is not None:
            self.started = self.started or time.perf_counter()

    def trial_finished(self, record: Record) -> None:
        """One more; a repeat is no work."""
        self.trials += record.is_distinct
        self.ended = time.perf_counter()

    @property
    def trials_an_hour(self) -> float:
        """Of those that were trained."""
        return 3600 * self.trials / (self.ended - self.started)


def trials_an_hour(ready: Path, workers: int, threads: int, trials: int = TRIALS) -> float:
    """Of the study, with nothing known before but what ``ready`` has."""
    stopwatch = Stopwatch()
    with tempfile.TemporaryDirectory() as name, closing(Processes(workers)) as executor:
        folder = Path(name)
        os.environ["ARCHLAB_CACHE"] = str(shutil.copytree(ready, folder / "cache"))
        run_study(study_space(folder, threads, trials), root=folder, executor=executor, watchers=(stopwatch,))
    return stopwatch.trials_an_hour


def study_space(folder: Path, threads: int, trials: int) -> StudyDefinition:
    """The space of the study."""
    path = folder / "workers.yaml"
    path.write_text(SPACE.replace("THREADS", str(threads)).replace("TRIALS", str(trials)), encoding="utf-8")
    return load_definition(path)


def filled_cache(folder: Path) -> Path:
    """A cache with what all trials of the study share."""
    os.environ["ARCHLAB_CACHE"] = str(folder / "cache")
    definition = study_space(folder, threads=1, trials=TRIALS)
    make_ready(definition.space.baseline, definition.settings.proxy)
    return folder / "cache"


def main() -> None:
    """Time all, each with a cache of its own."""
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        ready = filled_cache(Path(folder))
        trials_an_hour(ready, 1, 1, trials=1)  # whoever comes first starts the server of processes
        together, alone, spread = (trials_an_hour(ready, *how) for how in ((2, 1), (1, 1), (1, cores)))
    print(
        json.dumps(
            {
                "benchmark": f"two workers against one, {TRIALS} trials on {cores} cores",
                "ours": round(together),
                "theirs": round(alone),
                "unit": "trials an hour",
                "ratio": round(together / alone, 2),
                "one_worker_all_cores": round(spread),
            }
        )
    )


if __name__ == "__main__":
    main()
