"""Steps of training until a share of the best known hypervolume: archlab's strategies against plain Optuna.

Every architecture of the space has been trained (`tables/search_table.py`), so that a search takes seconds. archlab's
side is its own driver, store, strategy and pruner, pauses and all; only the training is looked up. Every seed begins at
an architecture of its own, drawn from the space, as a study begins at its user's baseline. Where the table has every
architecture with two training seeds, a search sees one of them (the even searches one, the odd ones the other), and
what it found is judged by the mean of both, so that luck is not rewarded. The surrogate pays for every score at
initialisation that it asks for as with `--steps-a-score` steps of training, which `untrained.py` measures. Prints one
JSON line.

What favours Optuna: what it asks for again costs it nothing, and a search that has not come there after `MOST_TRIALS`
counts as if it had. It is asked for every knob in every trial, for GPSampler models only knobs that all trials have.
One of archlab's that does not come there at all counts as infinitely long. What favours archlab's rungs: the noise
between seeds is given, as ``search.noise``, from the architectures that the table has with two seeds.

``python benchmarks/search.py --searches surrogate plain_tpe --seeds 0 40 --shares 0.9 0.95``
``python benchmarks/search.py --space benchmarks/shapes_space.yaml --curves shapes.csv``
"""

import argparse
import json
import math
import random
import tempfile
import warnings
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import moocore
import numpy as np
import optuna
import pandas as pd
from proxy_results import proxy_result
from simulated_workers import SimulatedWorkers

from archlab.architecture import UNetSpec
from archlab.evaluation import Evaluation
from archlab.proxy.settings import ProxySettings
from archlab.space import SearchSpace, label
from archlab.space.knobs import Value
from archlab.study import run_study
from archlab.study.callbacks import Callbacks
from archlab.study.definition import StudyDefinition, load_definition
from archlab.study.evaluate import Job, Stages, costed
from archlab.study.pruning.successive_halving import pooled_noise
from archlab.study.sampler import as_params
from archlab.study.settings import SearchSettings

SPACE = Path(__file__).with_name("search_space.yaml")
MOST_TRIALS = 500
STEPS_A_SCORE = 1.5  # the most that `untrained.py` measured on any of the spaces
Point = tuple[float, float]


class Reached(Exception):
    """The search has what it was to find, or all that it may take."""


@dataclass(frozen=True)
class BegunElsewhere(SearchSpace):
    """The space of a user whose baseline is another architecture of it."""

    first: dict[str, Value] = field(default_factory=dict)

    def find_baseline(self) -> dict[str, Value]:
        """Where the search begins."""
        return self.first


class Bench:
    """The tabulated space as the searches of one seed see it.

    Attributes:
        losses: what a search sees, by architecture and rung.
        costs: by architecture.
        naswot: likewise.
        points: what an architecture is, by which a search is judged.
        steps_a_score: what a score at initialisation takes.
    """

    def __init__(
        self,
        definition: StudyDefinition,
        table: pd.DataFrame,
        seed: int,
        shares: Sequence[float],
        cost: str,
        steps_a_score: float = STEPS_A_SCORE,
    ) -> None:
        self.rungs = rungs = definition.settings.proxy.rungs
        end = f"val_loss_{rungs[-1]}"
        twice = table[table["architecture"].isin(table.loc[table["seed"] == 1, "architecture"])]
        noise = pooled_noise(losses.tolist() for _, losses in twice.groupby("architecture")[end])
        search = definition.settings.search.model_copy(update={"seed": seed, "noise": noise})
        space = definition.space
        first = random.Random(seed).choice(list(space.all_values()))
        elsewhere = BegunElsewhere(space.name, space.baseline, space.knobs, space.requirements, first)
        settings = definition.settings.model_copy(update={"search": search, "objectives": ("quality", cost)})
        self.definition = StudyDefinition(elsewhere, settings)
        self.seed, self.shares, self.steps_a_score = seed, sorted(shares), steps_a_score
        by_seed = [rows.set_index("architecture") for _, rows in table.groupby("seed")]
        complete = [rows for rows in by_seed if len(rows) == table["architecture"].nunique()]
        seen = complete[seed % len(complete)]
        self.losses = {name: dict(zip(rungs, row, strict=True)) for name, *row in seen[_columns(rungs)].itertuples()}
        self.costs: dict[str, float] = seen[cost].to_dict()
        self.naswot: dict[str, float] = seen["naswot"].to_dict()
        mean = sum(rows[end].reindex(seen.index) for rows in complete) / len(complete)
        self.points: dict[str, Point] = {name: (loss, self.costs[name]) for name, loss in mean.items()}
        self.worst = np.max(list(self.points.values()), axis=0)
        self.best = self.hypervolume(list(self.points.values()))

    def search_by(self, strategy: str) -> SearchSettings:
        """The settings of a search; the surrogate is not told the noise."""
        given = self.definition.settings.search
        noise = None if strategy == "surrogate" else given.noise
        return given.model_copy(update={"strategy": strategy, "noise": noise})

    def hypervolume(self, points: list[Point]) -> float:
        """Within the worst of the whole table in both objectives."""
        return float(moocore.hypervolume(np.array(points), ref=self.worst))


class Tally:
    """Counts the steps of one search and ends it.

    Attributes:
        at: the steps that it took to each share of the best hypervolume.
        curve: steps and the share that it had then, after every complete training.
    """

    def __init__(self, bench: Bench, most_steps: float = math.inf) -> None:
        self.bench, self.most_steps = bench, most_steps
        self.steps, self.found = 0, dict[str, Point]()
        self.at = dict.fromkeys(bench.shares, math.inf)
        self.curve: list[tuple[int, float]] = []

    def add(self, architecture: str, until: int, steps: int) -> None:
        """The architecture was trained to this step, when so many had been trained in all.

        Raises:
            Reached: every share is, or it takes more steps than it may.
        """
        if steps > self.most_steps:
            raise Reached
        self.steps = steps
        if until == self.bench.rungs[-1] and architecture not in self.found:
            self.found[architecture] = self.bench.points[architecture]
            share = self.bench.hypervolume(list(self.found.values())) / self.bench.best
            self.curve.append((self.steps, share))
            self.at |= {wanted: min(self.at[wanted], self.steps) for wanted in self.at if share >= wanted}
            if share >= self.bench.shares[-1]:
                raise Reached


@dataclass(frozen=True)
class Search:
    """How one search went.

    Attributes:
        at: steps of training, by share of the best hypervolume.
        curve: see `Tally`.
    """

    at: dict[float, float]
    curve: list[tuple[int, float]]


def _columns(rungs: Sequence[int]) -> list[str]:
    return [f"val_loss_{rung}" for rung in rungs]


def by_archlab(bench: Bench, strategy: str, workers: int = 1, most_steps: float = math.inf) -> Search:
    """A study that may try the whole space: judged at every rung or, by the surrogate, paused there.

    Steps of several workers are those of all together, and of what is under way, too.
    """
    rungs, tally, scored = bench.rungs, Tally(bench, most_steps), set[str]()
    definition = bench.definition.with_settings(search=bench.search_by(strategy))

    def evaluate(job: Job, callbacks: Callbacks) -> Evaluation:
        known, losses = costed(job.spec, {}), bench.losses[job.spec.id]
        rung = job.until or next((r for r in rungs[:-1] if not callbacks.goes_on(r, [losses[r]], known)), rungs[-1])
        stopped_at = None if rung == rungs[-1] else rung
        seen = {step: loss for step, loss in losses.items() if step <= rung}
        proxy = proxy_result(losses[rung], seen, stopped_at)
        return replace(known, status="stopped" if stopped_at else "complete", proxy=proxy)

    def told(job: Job, evaluation: Evaluation, steps: int) -> None:
        assert evaluation.proxy is not None
        tally.add(job.spec.id, evaluation.proxy.steps, round(steps + bench.steps_a_score * len(scored)))

    def score(spec: UNetSpec, _settings: ProxySettings) -> float:
        scored.add(spec.id)
        return bench.naswot[spec.id]

    executor = SimulatedWorkers(workers, evaluate, told)
    with tempfile.TemporaryDirectory() as folder, closing(executor), suppress(Reached):
        run_study(definition, root=folder, executor=executor, stages=Stages(score=score))
    return Search(tally.at, tally.curve)


def plainly(bench: Bench, sampler: optuna.samplers.BaseSampler) -> Search:
    """Optuna as it comes, every trial trained to the last rung."""
    tally, space = Tally(bench), bench.definition.space
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    study.enqueue_trial(as_params(space.find_baseline() or {}))
    seen: set[str] = set()
    with suppress(Reached):
        for _ in range(MOST_TRIALS):
            trial = study.ask()
            name = space.spec(_asked(trial, space)).id
            if name not in seen:
                seen.add(name)
                tally.add(name, bench.rungs[-1], tally.steps + bench.rungs[-1])
            study.tell(trial, (bench.losses[name][bench.rungs[-1]], bench.costs[name]))
    return Search({share: min(steps, tally.steps) for share, steps in tally.at.items()}, tally.curve)


def _asked(trial: optuna.Trial, space: SearchSpace) -> dict[str, Value]:
    """Values in effect, of all that are asked for."""
    every = {
        name: trial.suggest_categorical(name, [label(value) for value in domain.values])
        for name, domain in space.knobs.items()
    }
    return space.in_effect(space.find(every))


def gp_sampler(seed: int) -> optuna.samplers.BaseSampler:
    """Optuna's Gaussian process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.GPSampler(seed=seed)


SEARCHES: dict[str, Callable[[Bench], Search]] = {
    "surrogate": lambda bench: by_archlab(bench, "surrogate"),
    "surrogate_4_workers": lambda bench: by_archlab(bench, "surrogate", workers=4),
    "surrogate_8_workers": lambda bench: by_archlab(bench, "surrogate", workers=8),
    "rungs_tpe": lambda bench: by_archlab(bench, "tpe"),
    "rungs_nsga2": lambda bench: by_archlab(bench, "nsga2"),
    "plain_tpe": lambda bench: plainly(bench, optuna.samplers.TPESampler(seed=bench.seed)),
    "plain_nsga2": lambda bench: plainly(bench, optuna.samplers.NSGAIISampler(seed=bench.seed)),
    "plain_gp": lambda bench: plainly(bench, gp_sampler(bench.seed)),
    "plain_random": lambda bench: plainly(bench, optuna.samplers.RandomSampler(seed=bench.seed)),
}


def main() -> None:
    """The chosen searches with every seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", type=Path, default=SPACE, help="NAME_space.yaml; NAME_table.csv is beside it")
    parser.add_argument("--cost", choices=("macs_g", "params_m"), default="macs_g")
    parser.add_argument("--searches", nargs="+", choices=SEARCHES, default=list(SEARCHES))
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 40), help="the first, and one beyond the last")
    parser.add_argument("--shares", nargs="+", type=float, default=(0.9, 0.95, 0.98))
    parser.add_argument("--steps-a-score", type=float, default=STEPS_A_SCORE)
    parser.add_argument("--curves", type=Path, help="a CSV for the share after every complete training")
    wanted = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    definition, table = load_definition(wanted.space), read_table(wanted.space)
    given = wanted.shares, wanted.cost, wanted.steps_a_score
    benches = [Bench(definition, table, seed, *given) for seed in range(*wanted.seeds)]
    found = {name: [SEARCHES[name](bench) for bench in benches] for name in wanted.searches}
    if wanted.curves:
        write_curves(wanted.curves, found, wanted.seeds[0])
    print(json.dumps({"space": wanted.space.name, "cost": wanted.cost, **summary(found, wanted.shares)}))


def read_table(space: Path) -> pd.DataFrame:
    """What `tables/search_table.py` made of this space."""
    return pd.read_csv(space.with_name(space.stem.replace("_space", "_table") + ".csv"))


def write_curves(path: Path, found: dict[str, list[Search]], first: int) -> None:
    """One row a complete training: search, its seed, steps of training so far, share of the best hypervolume."""
    rows = [
        (name, first + index, steps, round(share, 6))
        for name, searches in found.items()
        for index, search in enumerate(searches)
        for steps, share in search.curve
    ]
    pd.DataFrame(rows, columns=["search", "seed", "steps", "share"]).to_csv(path, index=False)


def summary(found: dict[str, list[Search]], shares: Sequence[float]) -> dict[str, Any]:
    """For every search and share the median, quartiles and worst, and how many never came there."""
    seeds = len(next(iter(found.values())))
    line: dict[str, Any] = {
        "benchmark": f"steps of training until a share of the best known hypervolume, {seeds} seeds",
        "unit": "optimiser steps",
    }
    for name, searches in found.items():
        line[name] = {f"{share:.0%}": _spread([search.at[share] for search in searches]) for share in shares}
    plain = [_middle(searches, 0.95) for name, searches in found.items() if name.startswith("plain_")]
    if "surrogate" in found and plain and 0.95 in shares:
        ours = _middle(found["surrogate"], 0.95)
        line |= {"ours": ours, "theirs": min(plain), "ratio": round(min(plain) / ours, 2)}
    return line


def _middle(searches: Sequence[Search], share: float) -> float:
    return median(search.at[share] for search in searches)


def _spread(steps: Sequence[float]) -> dict[str, Any]:
    """None where so many searches never came there."""
    low, high, worst = np.quantile(steps, (0.25, 0.75, 1), method="inverted_cdf").tolist()
    finite = {"median": median(steps), "low": low, "high": high, "worst": worst}
    shown = {name: round(value) if math.isfinite(value) else None for name, value in finite.items()}
    return {
        "median": shown["median"],
        "quartiles": [shown["low"], shown["high"]],
        "worst": shown["worst"],
        "never": sum(map(math.isinf, steps)),
    }


if __name__ == "__main__":
    main()
