"""Steps of training until 95 % of the best known hypervolume: archlab's rungs against plain Optuna at full budget.

Every architecture of ``search_space.yaml`` has been trained (`tables/search_table.py`), so that a search takes seconds.
archlab's side is its own driver, sampler and judge; only the training is looked up. Prints one JSON line.

What favours Optuna: what it asks for again costs it nothing, and a search that has not come there after `MOST_TRIALS`
counts as if it had. One of archlab's that does not come there at all counts as infinitely long. What favours archlab:
the noise between seeds is given, as ``search.noise``, from the architectures that the table has with two seeds.
"""

import json
import math
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import moocore
import numpy as np
import optuna
import pandas as pd
from proxy_results import proxy_result

from archlab.evaluation import Evaluation
from archlab.study import run_study
from archlab.study.callbacks import Callbacks
from archlab.study.definition import StudyDefinition, load_definition
from archlab.study.evaluate import Job, costed
from archlab.study.executors import Inline
from archlab.study.pruning.successive_halving import pooled_noise
from archlab.study.sampler import suggest

SPACE = Path(__file__).with_name("search_space.yaml")
TABLE = Path(__file__).with_name("search_table.csv")
SHARE = 0.95
REPEATS = 20
MOST_TRIALS = 1_000
Point = tuple[float, float]


class Reached(Exception):
    """The search has what it was to find."""


class Bench:
    """The tabulated space as the searches of one seed see it."""

    def __init__(self, definition: StudyDefinition, table: pd.DataFrame, seed: int) -> None:
        self.rungs = rungs = definition.settings.proxy.rungs
        twice = table[table["architecture"].isin(table.loc[table["seed"] == 1, "architecture"])]
        noise = pooled_noise(losses.tolist() for _, losses in twice.groupby("architecture")[f"val_loss_{rungs[-1]}"])
        search = definition.settings.search.model_copy(update={"seed": seed, "noise": noise})
        self.definition, self.seed = definition.with_settings(search=search), seed
        once = table[table["seed"] == 0].set_index("architecture")
        self.losses = {name: dict(zip(rungs, row, strict=True)) for name, *row in once[_columns(rungs)].itertuples()}
        macs = once["macs_g"].to_dict()
        self.points: dict[str, Point] = {name: (losses[rungs[-1]], macs[name]) for name, losses in self.losses.items()}
        self.worst = np.max(list(self.points.values()), axis=0)
        self.goal = SHARE * self.hypervolume(list(self.points.values()))

    def hypervolume(self, points: list[Point]) -> float:
        """Within the worst of the whole table in both objectives."""
        return float(moocore.hypervolume(np.array(points), ref=self.worst))


class Tally:
    """Counts the steps of one search and ends it."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.steps, self.found = bench, 0, dict[str, Point]()

    def add(self, architecture: str, steps: int) -> None:
        """The architecture was trained for so many steps, all of them or up to a rung.

        Raises:
            Reached: the goal is.
        """
        self.steps += steps
        if steps == self.bench.rungs[-1] and architecture not in self.found:
            self.found[architecture] = self.bench.points[architecture]
            if self.bench.hypervolume(list(self.found.values())) >= self.bench.goal:
                raise Reached


def _columns(rungs: Sequence[int]) -> list[str]:
    return [f"val_loss_{rung}" for rung in rungs]


def steps_by_rungs(bench: Bench, strategy: str) -> float:
    """archlab: a study that may try the whole space, judged at every rung."""
    rungs, tally = bench.rungs, Tally(bench)
    search = bench.definition.settings.search.model_copy(update={"strategy": strategy})
    definition = bench.definition.with_settings(search=search)

    def evaluate(job: Job, callbacks: Callbacks) -> Evaluation:
        known, losses = costed(job.spec, {}), bench.losses[job.spec.id]
        rung = next((rung for rung in rungs[:-1] if not callbacks.goes_on(rung, [losses[rung]], known)), rungs[-1])
        tally.add(job.spec.id, rung)
        stopped_at = None if rung == rungs[-1] else rung
        proxy = proxy_result(losses[rung], losses, stopped_at)
        return replace(known, status="stopped" if stopped_at else "complete", proxy=proxy)

    with tempfile.TemporaryDirectory() as folder, suppress(Reached):
        run_study(definition, root=folder, executor=Inline(evaluate))
        return math.inf
    return tally.steps


def steps_plainly(bench: Bench, sampler: optuna.samplers.BaseSampler) -> float:
    """Optuna as it comes, every trial trained to the last rung."""
    tally = Tally(bench)
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    seen: set[str] = set()
    with suppress(Reached):
        for _ in range(MOST_TRIALS):
            trial = study.ask()
            space = bench.definition.space
            name = space.spec(suggest(trial, space)).id
            if name not in seen:
                seen.add(name)
                tally.add(name, bench.rungs[-1])
            study.tell(trial, bench.points[name])
    return tally.steps


SEARCHES: dict[str, Callable[[Bench], float]] = {
    "rungs_tpe": lambda bench: steps_by_rungs(bench, "tpe"),
    "rungs_nsga2": lambda bench: steps_by_rungs(bench, "nsga2"),
    "plain_tpe": lambda bench: steps_plainly(bench, optuna.samplers.TPESampler(seed=bench.seed)),
    "plain_nsga2": lambda bench: steps_plainly(bench, optuna.samplers.NSGAIISampler(seed=bench.seed)),
}


def main() -> None:
    """Every search with every seed."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    definition, table = load_definition(SPACE), pd.read_csv(TABLE)
    benches = [Bench(definition, table, seed) for seed in range(REPEATS)]
    print(json.dumps(summary({name: [search(bench) for bench in benches] for name, search in SEARCHES.items()})))


def summary(steps: dict[str, list[float]]) -> dict[str, Any]:
    """Medians, and the ratios of equal seeds with their quartiles."""
    medians = {name: median(found) for name, found in steps.items()}
    theirs = min(medians["plain_tpe"], medians["plain_nsga2"])
    line = {
        "benchmark": f"steps of training until {SHARE:.0%} of the best known hypervolume, medians of {REPEATS} seeds",
        "ours": medians["rungs_tpe"],
        "theirs": theirs,
        "unit": "optimiser steps",
        "ratio": round(theirs / medians["rungs_tpe"], 2),
        **{f"{name}_steps": value for name, value in medians.items()},
    }
    for sampler in ("tpe", "nsga2"):
        pairs = zip(steps[f"rungs_{sampler}"], steps[f"plain_{sampler}"], strict=True)
        low, middle, high = quantiles([plain / ours for ours, plain in pairs], n=4)
        line[f"{sampler}_ratio"] = round(middle, 2)
        line[f"{sampler}_ratio_quartiles"] = [round(low, 2), round(high, 2)]
    return line


if __name__ == "__main__":
    main()
