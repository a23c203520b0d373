"""A study of few trials: what the surrogate's front comes to in half of the training that TPE takes for all of them.

Replayed from `search.py`'s table, whose proxies are the quickstart's (``digits`` at 8 pixels, a quarter of the width),
trained longer. Both are archlab's own driver; every seed begins at an architecture of its own. TPE trains all of its
trials to the last rung. ``ours`` and ``theirs`` are the median shares of the best known hypervolume that the fronts
have. Prints one JSON line.

``python benchmarks/few_trials.py --trials 14 --rungs 30 90 270 --seeds 0 20``
"""

import argparse
import json
from pathlib import Path
from statistics import median

import optuna
from search import SPACE, Bench, by_archlab, read_table

from archlab.study.definition import load_definition

_NEVER = 2.0  # a share of the hypervolume that ends no search
_MANY = 200


def main() -> None:
    """Both strategies with every seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", type=Path, default=SPACE, help="NAME_space.yaml; NAME_table.csv is beside it")
    parser.add_argument("--trials", type=int, default=14, help="TPE's; the surrogate may begin as many as it likes")
    parser.add_argument("--rungs", nargs="+", type=int, default=(30, 90, 270), help="the surrogate's; TPE has the last")
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 20), help="the first, and one beyond the last")
    wanted = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rungs, half = tuple(wanted.rungs), wanted.trials * wanted.rungs[-1] // 2
    ours = [share_at(half, "surrogate", rungs, _MANY, wanted.space, seed) for seed in range(*wanted.seeds)]
    theirs = [share_at(2 * half, "tpe", rungs[-1:], wanted.trials, wanted.space, seed) for seed in range(*wanted.seeds)]
    line = {
        "benchmark": f"share of the best known hypervolume after {half} steps, TPE after {2 * half}, {len(ours)} seeds",
        "unit": "share",
        "rungs": rungs,
        "ours": round(median(ours), 4),
        "theirs": round(median(theirs), 4),
        "ratio": round(median(ours) / median(theirs), 3),
        "at_least_as_good": sum(own >= other for own, other in zip(ours, theirs, strict=True)),
        "worst": {"surrogate": round(min(ours), 4), "tpe": round(min(theirs), 4)},
    }
    print(json.dumps(line))


def share_at(steps: int, strategy: str, rungs: tuple[int, ...], trials: int, space: Path, seed: int) -> float:
    """Of the best known hypervolume, what a search has when so many steps were trained."""
    definition = load_definition(space).with_trials(trials)
    definition = definition.with_settings(proxy=definition.settings.proxy.model_copy(update={"rungs": rungs}))
    search = by_archlab(Bench(definition, read_table(space), seed, [_NEVER], "macs_g"), strategy, most_steps=steps)
    return search.curve[-1][1]


if __name__ == "__main__":
    main()
