"""Trials an hour with two workers against one, on a small study that trains on digits. Prints one JSON line.

Each worker has one thread; ``one_worker_all_cores`` is one that has as many as there are cores. Time is counted from
the first trial's start: what all do once is left out.
"""

import json
import os
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from archlab.proxy.features import feature_network
from archlab.space import load_space
from archlab.study import Watcher, run_study
from archlab.study.executors.processes import Processes
from archlab.study.record import Record

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
        self.trials += record.counts
        self.ended = time.perf_counter()

    @property
    def trials_an_hour(self) -> float:
        """Of those that were trained."""
        return 3600 * self.trials / (self.ended - self.started)


def trials_an_hour(workers: int, threads: int, trials: int = TRIALS) -> float:
    """Of the study, with nothing known before but the network whose features FID compares."""
    stopwatch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder, closing(Processes(workers)) as executor:
        os.environ["ARCHLAB_CACHE"] = f"{folder}/cache"
        feature_network.cache_clear()  # what this process knows is not in the new cache
        feature_network("digits")
        path = Path(folder) / "workers.yaml"
        path.write_text(SPACE.replace("THREADS", str(threads)).replace("TRIALS", str(trials)), encoding="utf-8")
        run_study(load_space(path), root=folder, executor=executor, watchers=(stopwatch,))
    return stopwatch.trials_an_hour


def main() -> None:
    """Time all, each with a cache of its own."""
    cores = os.cpu_count() or 1
    trials_an_hour(1, 1, trials=1)  # whoever comes first starts the server of processes
    together, alone, spread = trials_an_hour(2, 1), trials_an_hour(1, 1), trials_an_hour(1, cores)
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
