"""Steps of training until a share of the best known hypervolume: archlab's strategies against plain Optuna.

Every architecture of ``search_space.yaml`` has been trained (`tables/search_table.py`), so that a search takes seconds.
archlab's side is its own driver, store, strategy and pruner, pauses and all; only the training is looked up. Every seed
begins at an architecture of its own, drawn from the space, as a study begins at its user's baseline. Prints one JSON
line.

What favours Optuna: what it asks for again costs it nothing, and a search that has not come there after `MOST_TRIALS`
counts as if it had. One of archlab's that does not come there at all counts as infinitely long. What favours archlab's
rungs: the noise between seeds is given, as ``search.noise``, from the architectures that the table has with two seeds.

``python benchmarks/search.py --searches surrogate plain_tpe --seeds 0 40 --shares 0.9 0.95``
"""

import argparse
import json
import math
import random
import tempfile
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import moocore
import numpy as np
import optuna
import pandas as pd
from proxy_results import proxy_result

from archlab.evaluation import Evaluation
from archlab.space import SearchSpace
from archlab.space.knobs import Value
from archlab.study import run_study
from archlab.study.callbacks import Callbacks
from archlab.study.definition import StudyDefinition, load_definition
from archlab.study.evaluate import Job, costed
from archlab.study.executors import Inline
from archlab.study.pruning.successive_halving import pooled_noise
from archlab.study.sampler import as_params, suggest

SPACE = Path(__file__).with_name("search_space.yaml")
TABLE = Path(__file__).with_name("search_table.csv")
MOST_TRIALS = 1_000
Point = tuple[float, float]


class Reached(Exception):
    """The search has what it was to find."""


@dataclass(frozen=True)
class BegunElsewhere(SearchSpace):
    """The space of a user whose baseline is another architecture of it."""

    first: dict[str, Value] = field(default_factory=dict)

    def find_baseline(self) -> dict[str, Value]:
        """Where the search begins."""
        return self.first


class Bench:
    """The tabulated space as the searches of one seed see it."""

    def __init__(self, definition: StudyDefinition, table: pd.DataFrame, seed: int, shares: Sequence[float]) -> None:
        self.rungs = rungs = definition.settings.proxy.rungs
        twice = table[table["architecture"].isin(table.loc[table["seed"] == 1, "architecture"])]
        noise = pooled_noise(losses.tolist() for _, losses in twice.groupby("architecture")[f"val_loss_{rungs[-1]}"])
        search = definition.settings.search.model_copy(update={"seed": seed, "noise": noise})
        space = definition.space
        first = random.Random(seed).choice(list(space.all_values()))
        elsewhere = BegunElsewhere(space.name, space.baseline, space.knobs, space.requirements, first)
        self.definition = StudyDefinition(elsewhere, definition.settings.model_copy(update={"search": search}))
        self.seed, self.shares = seed, sorted(shares)
        once = table[table["seed"] == 0].set_index("architecture")
        self.losses = {name: dict(zip(rungs, row, strict=True)) for name, *row in once[_columns(rungs)].itertuples()}
        macs = once["macs_g"].to_dict()
        self.points: dict[str, Point] = {name: (losses[rungs[-1]], macs[name]) for name, losses in self.losses.items()}
        self.worst = np.max(list(self.points.values()), axis=0)
        self.best = self.hypervolume(list(self.points.values()))

    def hypervolume(self, points: list[Point]) -> float:
        """Within the worst of the whole table in both objectives."""
        return float(moocore.hypervolume(np.array(points), ref=self.worst))


class Tally:
    """Counts the steps of one search and ends it.

    Attributes:
        at: the steps that it took to each share of the best hypervolume.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench, self.steps, self.found = bench, 0, dict[str, Point]()
        self.at = dict.fromkeys(bench.shares, math.inf)

    def add(self, architecture: str, until: int, since: int = 0) -> None:
        """The architecture was trained to this step, from where it was paused.

        Raises:
            Reached: every share is.
        """
        self.steps += until - since
        if until == self.bench.rungs[-1] and architecture not in self.found:
            self.found[architecture] = self.bench.points[architecture]
            share = self.bench.hypervolume(list(self.found.values())) / self.bench.best
            self.at |= {wanted: min(self.at[wanted], self.steps) for wanted in self.at if share >= wanted}
            if share >= self.bench.shares[-1]:
                raise Reached


Steps = dict[float, float]  # by share of the best hypervolume


def _columns(rungs: Sequence[int]) -> list[str]:
    return [f"val_loss_{rung}" for rung in rungs]


def steps_by_archlab(bench: Bench, strategy: str) -> Steps:
    """A study that may try the whole space: judged at every rung or, by the surrogate, paused there."""
    rungs, tally = bench.rungs, Tally(bench)
    search = bench.definition.settings.search.model_copy(update={"strategy": strategy})
    definition = bench.definition.with_settings(search=search)

    def evaluate(job: Job, callbacks: Callbacks) -> Evaluation:
        known, losses = costed(job.spec, {}), bench.losses[job.spec.id]
        since = job.paused.proxy.steps if job.paused and job.paused.proxy else 0
        rung = job.until or next((r for r in rungs[:-1] if not callbacks.goes_on(r, [losses[r]], known)), rungs[-1])
        if job.number is not None:  # else it is the space's own baseline, where this search does not begin
            tally.add(job.spec.id, rung, since)
        stopped_at = None if rung == rungs[-1] else rung
        seen = {step: loss for step, loss in losses.items() if step <= rung}
        proxy = proxy_result(losses[rung], seen, stopped_at)
        return replace(known, status="stopped" if stopped_at else "complete", proxy=proxy)

    with tempfile.TemporaryDirectory() as folder, suppress(Reached):
        run_study(definition, root=folder, executor=Inline(evaluate))
    return tally.at


def steps_plainly(bench: Bench, sampler: optuna.samplers.BaseSampler) -> Steps:
    """Optuna as it comes, every trial trained to the last rung."""
    tally, space = Tally(bench), bench.definition.space
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    study.enqueue_trial(as_params(space.find_baseline() or {}))
    seen: set[str] = set()
    with suppress(Reached):
        for _ in range(MOST_TRIALS):
            trial = study.ask()
            name = space.spec(suggest(trial, space)).id
            if name not in seen:
                seen.add(name)
                tally.add(name, bench.rungs[-1])
            study.tell(trial, bench.points[name])
    return {share: min(steps, tally.steps) for share, steps in tally.at.items()}


def gp_sampler(seed: int) -> optuna.samplers.BaseSampler:
    """Optuna's Gaussian process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.GPSampler(seed=seed)


SEARCHES: dict[str, Callable[[Bench], Steps]] = {
    "surrogate": lambda bench: steps_by_archlab(bench, "surrogate"),
    "rungs_tpe": lambda bench: steps_by_archlab(bench, "tpe"),
    "rungs_nsga2": lambda bench: steps_by_archlab(bench, "nsga2"),
    "plain_tpe": lambda bench: steps_plainly(bench, optuna.samplers.TPESampler(seed=bench.seed)),
    "plain_nsga2": lambda bench: steps_plainly(bench, optuna.samplers.NSGAIISampler(seed=bench.seed)),
    "plain_gp": lambda bench: steps_plainly(bench, gp_sampler(bench.seed)),
    "plain_random": lambda bench: steps_plainly(bench, optuna.samplers.RandomSampler(seed=bench.seed)),
}


def main() -> None:
    """The chosen searches with every seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--searches", nargs="+", choices=SEARCHES, default=list(SEARCHES))
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 40), help="the first, and one beyond the last")
    parser.add_argument("--shares", nargs="+", type=float, default=(0.9, 0.95, 0.98))
    wanted = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    definition, table = load_definition(SPACE), pd.read_csv(TABLE)
    benches = [Bench(definition, table, seed, wanted.shares) for seed in range(*wanted.seeds)]
    found = {name: [SEARCHES[name](bench) for bench in benches] for name in wanted.searches}
    print(json.dumps(summary(found, wanted.shares)))


def summary(found: dict[str, list[Steps]], shares: Sequence[float]) -> dict[str, Any]:
    """For every search and share the median, quartiles and worst, and how many never came there."""
    seeds = len(next(iter(found.values())))
    line: dict[str, Any] = {
        "benchmark": f"steps of training until a share of the best known hypervolume, {seeds} seeds",
        "unit": "optimiser steps",
    }
    for name, searches in found.items():
        line[name] = {f"{share:.0%}": _spread([steps[share] for steps in searches]) for share in shares}
    plain = [_middle(searches, 0.95) for name, searches in found.items() if name.startswith("plain_")]
    if "surrogate" in found and plain and 0.95 in shares:
        ours = _middle(found["surrogate"], 0.95)
        line |= {"ours": ours, "theirs": min(plain), "ratio": round(min(plain) / ours, 2)}
    return line


def _middle(searches: Sequence[Steps], share: float) -> float:
    return median(steps[share] for steps in searches)


def _spread(steps: Sequence[float]) -> dict[str, Any]:
    reached = [each for each in steps if math.isfinite(each)]
    low, middle, high = quantiles(reached, n=4) if len(reached) > 1 else [math.nan] * 3
    return {
        "median": round(middle),
        "quartiles": [round(low), round(high)],
        "worst": max(reached, default=math.nan),
        "never": len(steps) - len(reached),
    }


if __name__ == "__main__":
    main()
